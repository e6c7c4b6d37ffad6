"""The cutter on hostile texts, and real sentences in disguise.

    python -m benchmarks.texts [--ads DIR] [--json]

Cutter: CPU time for twelve shapes of 100,000 characters, as a multiple of that for plain prose of
the same length, and of that for half of the text. Disguises: sentences of real ads, which lie next
to the project and are never committed, are classified as they are and as other programs write them
(decomposed, with soft hyphens, ligatures ...); counts the verdicts and evidence that differ.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from biasloop.domain.label import LabelSource
from biasloop.domain.learning import TrainingSet
from biasloop.domain.text import normalise
from biasloop.intake.sentences import sentences
from biasloop.plugins.classifiers.options import TfidfOptions
from biasloop.plugins.classifiers.tfidf import Tfidf
from biasloop.workspace.campaign import shipped
from biasloop.workspace.seed_check import seed_rows

from .style import real_sentences

CHARACTERS = 100_000
PROSE = "Cerchiamo una commessa per il negozio di Lodi. Si offre un contratto a tempo pieno. "
SHAPES = {
    "dotted letters": "A.",
    "abbreviations": "S.p.A. ",
    "short dotted words": "es.",
    "open brackets": "(",
    "open quotes": "“",
    "dots": ".",
    "spaces": " ",
    "line breaks": "\n",
    "digits with dots": "1.2.",
    "addresses": "www.azienda.it/a.b.c info@azienda.it. ",
    "no space": "abc",
    "combining marks": "e\u0301\u0327",
}
SENTENCES = 500
EVIDENCE = 10
"""Of this many sentences one is asked for its evidence."""


def cutter() -> dict[str, dict[str, float]]:
    """By shape: seconds, how many times plain prose that is, and the growth when doubled."""
    prose = _seconds(PROSE, CHARACTERS)
    figures = {"plain prose": {"seconds": prose, "times prose": 1.0}}
    for name, shape in SHAPES.items():
        whole, half = _seconds(shape, CHARACTERS), _seconds(shape, CHARACTERS // 2)
        figures[name] = {"seconds": whole, "times prose": whole / prose, "doubled": whole / half}
    return figures


def _seconds(shape: str, length: int) -> float:
    """The least of three runs."""
    text = (shape * length)[:length]
    runs = []
    for _ in range(3):
        start = time.process_time()
        sentences(text, "it")
        runs.append(time.process_time() - start)
    return min(runs)


def disguised(folder: Path) -> dict[str, dict[str, int]]:
    """By disguise: sentences that it changes, and those with another verdict or evidence."""
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    from support.disguises import DISGUISES

    texts = real_sentences(folder, "it")
    chosen = np.random.default_rng(0).choice(len(texts), SENTENCES, replace=False)
    plain = [texts[i] for i in sorted(chosen)]
    classifier = _trained()
    names = classifier.head.names
    proba = classifier.predict_proba(plain)
    evidence = [_evidence(classifier, text, names) for text in plain[::EVIDENCE]]
    figures = {}
    for name, disguise in DISGUISES.items():
        others = [disguise(text) for text in plain]
        figures[name] = {
            "changed": sum(one != other for one, other in zip(plain, others, strict=True)),
            "verdicts": int((classifier.predict_proba(others) != proba).any(axis=1).sum()),
            "evidence": sum(
                one != _evidence(classifier, text, names)
                for one, text in zip(evidence, others[::EVIDENCE], strict=True)
            ),
        }
    return figures


def _trained() -> Tfidf:
    """The Italian campaign's classifier, trained on its seeds."""
    configuration, seeds = shipped("job_ads_it")
    paths = [path for path in sorted(seeds.glob("*.jsonl")) if path.stem != "ads"]
    rows = [row for _, row in seed_rows(paths)]
    labels = tuple(sorted({label for row in rows for label in row["labels"]}))
    classifier = Tfidf(TfidfOptions(language=configuration / "counterfactual", folds=2))
    data = TrainingSet(
        texts=[row["text"] for row in rows],
        labels=np.array([[name in row["labels"] for name in labels] for row in rows], np.int8),
        weights=np.ones(len(rows), np.float32),
        roots=np.array([str(row["id"]) for row in rows]),
        sources=[LabelSource.SEED] * len(rows),
        label_names=labels,
        multi=True,
    )
    classifier.fit(data, seed=0)
    return classifier


def _evidence(classifier: Tfidf, text: str, names: tuple[str, ...]) -> list[tuple[str, str]]:
    return [
        (span.label, normalise(text[span.start : span.end]).text)
        for span in classifier.evidence(text, names)
    ]


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ads", type=Path, default=Path("../shared/data/ads_it"))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if not any(arguments.ads.glob("*.jsonl")):
        sys.exit(f"{arguments.ads} holds no *.jsonl; name a folder of real ads with --ads")
    tables: dict[str, dict[str, Any]] = {"cutter": cutter(), "disguises": disguised(arguments.ads)}
    if arguments.json:
        print(json.dumps(tables))
        return
    for title, figures in tables.items():
        print(title)
        for name, row in figures.items():
            print(f"  {name:28}" + "  ".join(f"{key} {value:g}" for key, value in row.items()))


if __name__ == "__main__":
    main()
