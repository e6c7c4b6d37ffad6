"""How often the reader is right when it infers a person whom no noun names, in real ads.

    python -m benchmarks.unnamed_people draw FILE [--seed 15] [--n 100]
    python -m benchmarks.unnamed_people judge FILE

`draw` writes mentions for judges, never two of one text (all there are, if they are fewer). A row
holds the sentence, the words that were taken to describe the person, and an empty `right`. A judge
sets it to true (the words describe the person sought, or applicants, and no noun in the sentence
names them) or false. `judge` prints the share that is right, and keeps the verdicts in
unnamed_people.jsonl as ad, offsets and hash, without texts. The ads are in ../shared/data/ads_it
and never committed.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.real_sentences import ADS
from biasloop.domain.item import text_hash
from biasloop.domain.measure.resample import RESAMPLES, Roots, percentile_interval
from biasloop.intake.sentences import sentences
from biasloop.plugins.language.clauses import read_clauses
from biasloop.plugins.language.data import Language, read_language
from biasloop.workspace.campaign import shipped

JUDGED = Path(__file__).with_name("unnamed_people.jsonl")
SEED, NUMBER = 15, 100


def unnamed_people(ad: dict[str, Any], language: Language) -> Iterator[dict[str, Any]]:
    """The people in an ad whom an adjective or participle describes and no noun names."""
    for start, end in sentences(ad["text"], "it"):
        text = ad["text"][start:end]
        for clause in read_clauses(text, language):
            sentence = clause.analysis.sentence
            for mention in clause.analysis.mentions:
                described = any(sentence.kind(i) == "quality" for i in mention.words)
                if mention.noun is not None or not described or mention.role != "sought":
                    continue  # a pronoun for others names them
                tokens = [sentence.tokens[i] for i in sorted(mention.words)]
                yield {
                    "ad": ad["ad_id"],
                    "start": start,
                    "end": end,
                    "text_hash": text_hash(text),
                    "words": [[start + token.start, start + token.end] for token in tokens],
                    "described": [text[token.start : token.end] for token in tokens],
                    "text": text,
                    "right": None,
                }


def draw(seed: int, n: int) -> list[dict[str, Any]]:
    """At most n mentions, one of each text. Ends if the ads are not there."""
    if not ADS.is_dir():
        raise SystemExit(f"the data of this benchmark is not there: {ADS}")
    language = read_language(shipped("job_ads_it")[0] / "counterfactual")
    assert language is not None
    # Not splitlines: an ad may contain U+2028 and the like, which it takes for line ends.
    lines = [line for file in sorted(ADS.glob("*.jsonl")) for line in file.read_text().split("\n")]
    ads = [json.loads(line) for line in lines if line]
    rng = np.random.default_rng(seed)
    by_text: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for place in rng.permutation(len(ads)):
        for row in unnamed_people(ads[place], language):
            by_text[row["text_hash"]].append(row)
    drawn = [rows[rng.integers(len(rows))] for rows in by_text.values()]
    return [drawn[place] for place in rng.permutation(len(drawn))[:n]]


def judge(rows: list[dict[str, Any]]) -> str:
    """The share that is right, resampled by ad. Ends if a row is not judged."""
    if open_ads := [row["ad"] for row in rows if not isinstance(row["right"], bool)]:
        raise SystemExit(
            f"`right` is neither true nor false in {len(open_ads)} rows, the first of them from ad "
            f"{open_ads[0]}; judge these rows first"
        )
    roots = Roots.from_names([row["ad"] for row in rows])
    counts = roots.sums(np.array([[row["right"], 1.0] for row in rows]))
    sums = np.vstack([draws @ counts for draws in roots.draws(SEED, RESAMPLES)])
    right = sum(row["right"] for row in rows)
    return f"{right} of {len(rows)} right: {percentile_interval(sums[:, 0] / sums[:, 1])}"


def main() -> None:
    """Draws, or counts verdicts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=("draw", "judge"), help="write mentions, or count verdicts")
    parser.add_argument("file", type=Path, help="where mentions and verdicts are; JSON lines")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--n", type=int, default=NUMBER, help="mentions at most")
    arguments = parser.parse_args()
    if arguments.step == "draw":
        rows = draw(arguments.seed, arguments.n)
        _write(arguments.file, rows)
        print(f"{len(rows)} mentions in {arguments.file}: set `right` in each to true or false")
        return
    rows = [json.loads(line) for line in arguments.file.read_text("utf-8").splitlines()]
    print(judge(rows))
    _write(
        JUDGED, [{k: v for k, v in row.items() if k not in ("text", "described")} for row in rows]
    )


def _write(file: Path, rows: list[dict[str, Any]]) -> None:
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    file.write_text("".join(lines), "utf-8")


if __name__ == "__main__":
    main()
