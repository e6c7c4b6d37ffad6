"""Compares a campaign's seeds with real ads: length, variety, masculine-only forms.

    python -m benchmarks.style [--ads DIR] [--json]

Compares the seed sentences with equally many drawn from real ads that lie beside the project and
are never committed. Variety is measured on samples of equal size (20 draws, mean and standard
deviation): distinct-3 is the share of word trigrams that come once, openings the share of
distinct first two words. Masculine-only is the share of sentences in which the language's reader
finds a person marked masculine, among those it understands.
"""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np

from biasloop.intake.sentences import sentences
from biasloop.plugins.language.analysis import analyse
from biasloop.plugins.language.data import Language, read_language
from biasloop.plugins.language.sentence import Unsure
from biasloop.workspace.campaign import shipped
from biasloop.workspace.seed_check import seed_rows

WORD = re.compile(r"\w+")
DRAWS = 20


def real_sentences(folder: Path, language: str) -> list[str]:
    """Distinct sentences of the ads in folder/*.jsonl."""
    distinct: dict[str, None] = {}
    for _, row in seed_rows(sorted(folder.glob("*.jsonl"))):
        text = row["text"]
        distinct.update(dict.fromkeys(text[a:b] for a, b in sentences(text, language)))
    return list(distinct)


def seed_sentences(campaign: str) -> list[str]:
    """The campaign's seed sentences, without their versions."""
    _, seeds = shipped(campaign)
    paths = [path for path in sorted(seeds.glob("*.jsonl")) if path.stem != "ads"]
    return [row["text"] for _, row in seed_rows(paths)]


def style(texts: list[str], size: int, language: Language) -> dict[str, Any]:
    """The figures of one set, variety on `size` sentences at a time."""
    words = [WORD.findall(text.lower()) for text in texts]
    lengths = np.array([len(sentence) for sentence in words])
    rng = np.random.default_rng(0)
    draws = [[words[i] for i in rng.choice(len(words), size, replace=False)] for _ in range(DRAWS)]
    return {
        "sentences": len(texts),
        "words (10, 25, 50, 75, 90 %)": np.quantile(lengths, [0.1, 0.25, 0.5, 0.75, 0.9]).tolist(),
        "vocabulary": _spread([_vocabulary(draw) for draw in draws]),
        "distinct-3": _spread([_distinct(draw) for draw in draws]),
        "openings": _spread([len({tuple(s[:2]) for s in draw}) / size for draw in draws]),
        **_masculine(texts, language),
    }


def _vocabulary(draw: list[list[str]]) -> float:
    """Distinct words among the draw's first 5,000."""
    return len(set([word for sentence in draw for word in sentence][:5_000]))


def _distinct(draw: list[list[str]]) -> float:
    """Distinct trigrams over trigrams, among the draw's first 5,000."""
    trigrams = [t for s in draw for t in zip(s, s[1:], s[2:], strict=False)][:5_000]
    return len(set(trigrams)) / len(trigrams)


def _masculine(texts: list[str], language: Language) -> dict[str, Any]:
    marked = understood = 0
    for text in texts:
        try:
            analysis = analyse(text, language)
        except Unsure:
            continue
        understood += 1
        marked += any(
            mention.gender == "m" and any(analysis.marked(mention, i) for i in mention.words)
            for mention in analysis.mentions
        )
    return {
        "understood": round(understood / len(texts), 3),
        "masculine-only": round(marked / understood, 3),
    }


def _spread(values: list[float]) -> str:
    return f"{np.mean(values):.3f} ± {np.std(values):.3f}"


def main() -> None:
    """Prints both sets side by side."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--campaign", default="job_ads_it")
    parser.add_argument("--ads", type=Path, default=Path("../shared/data/ads_it"))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if not any(arguments.ads.glob("*.jsonl")):
        sys.exit(f"{arguments.ads} holds no *.jsonl; name a folder of real ads with --ads")
    configuration, _ = shipped(arguments.campaign)
    language = read_language(configuration / "counterfactual")
    if language is None:
        sys.exit(f"{configuration} has no language data")
    sets = {
        "seeds": seed_sentences(arguments.campaign),
        "real": real_sentences(arguments.ads, "it"),
    }
    size = min(1_000, *(len(texts) for texts in sets.values()))
    figures = {name: style(texts, size, language) for name, texts in sets.items()}
    if arguments.json:
        print(json.dumps(figures))
        return
    for figure in figures["seeds"]:
        print(f"{figure:32}" + "".join(f"{name}: {figures[name][figure]}   " for name in figures))


if __name__ == "__main__":
    main()
