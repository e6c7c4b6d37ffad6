"""Whether probation refuses poison and keeps good texts, on simulated campaigns.

   python -m benchmarks.probation [--campaigns 200] [--keep FILE] [--json]

A campaign is a draw of labelled rows from a public data set beside the project, which people are
taken to have labelled, and half as many again as "written" texts. These are reviewed twice: as
`good`, with their gold labels, and as `poison`, with 30 % of the labels wrong (another class at
random).
The verdict is the service's own (`tfidf`, five seeds); beside it stand the rule of the gain alone,
that of wrong labels alone, and a coin. On TREC there is a third set, `novel`: gold of fine classes
that the real rows lack. Intervals are Wilson's, 95 %.

With --keep results are kept in a file, from which a broken run goes on. --tune takes the files on
which the thresholds were looked at, and which are not reported on.
"""

import argparse
import json
import platform
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from biasloop.domain.label import LabelSource
from biasloop.domain.learning import TrainingSet
from biasloop.domain.measure.probation import MAX_LOSS, MAX_WRONG, Review, ReviewRows, review_texts
from biasloop.domain.measure.resample import Interval
from biasloop.domain.votes.agreement import wilson_interval
from biasloop.plugins.registry import Kind, create
from biasloop.rounds.steps.train.job import with_and_without

DATA = Path("../shared/data/benchmarks")
REPORTED = ("trec.test", "subj.train", "mr.train", "edos.train")
TUNED = ("trec.train", "cr.train")
REAL = (150, 300)
"""Real labelled rows of a campaign."""
WRONG = 0.3
WEIGHT = 0.5
Key = tuple[str, str, int, int]
"""Data, arm, real rows, seed."""


@cache
def load(name: str) -> tuple[list[str], NDArray[np.int64], NDArray[np.str_]]:
    """Texts, class numbers and fine classes of a file."""
    with (DATA / f"{name}.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    labels = [row["label"] for row in rows]
    fine = np.array([row.get("fine", "") for row in rows])
    return [row["text"] for row in rows], np.unique(labels, return_inverse=True)[1], fine


def draw(
    name: str, arm: str, n_real: int, seed: int
) -> tuple[list[str], NDArray[np.int8], NDArray[np.bool_]]:
    """Texts, labels (n, k) one-hot, and which are written. The arms of a seed share all but what
    makes them differ."""
    texts, classes, fine = load(name)
    rng = np.random.default_rng([seed, n_real])
    n_written = n_real // 2
    order = rng.permutation(len(texts))
    if arm == "novel":
        reserved = rng.permutation(np.unique(fine))[: len(np.unique(fine)) // 3]
        strange = np.isin(fine[order], reserved)
        picked = np.concatenate([order[~strange][:n_real], order[strange][:n_written]])
    else:
        picked = order[: n_real + n_written]
    written = np.arange(len(picked)) >= n_real
    labels = classes[picked].copy()
    k = int(classes.max()) + 1
    if arm == "poison":
        wrong = rng.permutation(np.flatnonzero(written))[: int(WRONG * n_written)]
        labels[wrong] = (labels[wrong] + rng.integers(1, k, len(wrong))) % k
    return [texts[i] for i in picked], np.eye(k, dtype=np.int8)[labels], written


def review(name: str, arm: str, n_real: int, seed: int) -> Review | None:
    """The service's verdict on one campaign; None where no class has enough positives."""
    texts, labels, written = draw(name, arm, n_real, seed)
    names = tuple(str(j) for j in range(labels.shape[1]))
    roots = np.array([str(i) for i in range(len(texts))])
    rows = ReviewRows(labels, ~written, written, roots, names)
    if not len(rows.measurable):
        return None
    classifier = create(Kind.CLASSIFIER, "tfidf")
    data = TrainingSet(
        texts=texts,
        labels=labels,
        weights=np.where(written, WEIGHT, 1).astype(np.float32),
        roots=roots,
        sources=[LabelSource.LLM if one else LabelSource.HUMAN for one in written],
        label_names=names,
        multi=False,
        features=classifier.make_encoder(texts).encode(texts),
    )
    with TemporaryDirectory() as work:
        runs = with_and_without(
            lambda: create(Kind.CLASSIFIER, "tfidf"), data, written, seed=seed, work=Path(work)
        )
    return review_texts(rows, runs, weight=WEIGHT, up_to=0, seed=seed)


def campaigns(n: int, files: tuple[str, ...]) -> Iterator[Key]:
    """The reviews of n campaigns."""
    for seed in range(n):
        name, n_real = files[seed % len(files)], REAL[seed // len(files) % len(REAL)]
        for arm in ("good", "poison", "novel"):
            if arm != "novel" or name.startswith("trec"):
                yield name, arm, n_real, seed


def measure(key: Key) -> dict[str, Any]:
    """The outcome of one review, for JSON."""
    row: dict[str, Any] = dict(zip(("data", "arm", "real", "seed"), key, strict=True))
    verdict = review(*key)
    if verdict is None:
        return row | {"kept": False, "gains": False, "right": False, "coin": False}
    return row | {
        "kept": verdict.kept,
        "gains": verdict.gain.value > 0 and verdict.gain.low > -MAX_LOSS,
        "right": verdict.wrong.low <= MAX_WRONG,
        "coin": bool(np.random.default_rng([key[3], len(key[1])]).random() < 0.5),
        "gain": verdict.gain.value,
        "wrong": verdict.wrong.value,
    }


def _rounded(estimate: Interval) -> list[float]:
    return [round(x, 3) for x in (estimate.value, estimate.low, estimate.high)]


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The shares of reviews that kept the texts, by arm: overall, by size and by file."""
    cells: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        for key in ("all", f"{row['real']} real rows", row["data"]):
            cells[f"{row['arm']}, {key}"].append(row)
    return {
        key: {
            "n": len(cell),
            **{
                title: _rounded(wilson_interval(sum(row[rule] for row in cell), len(cell)))
                for title, rule in (
                    ("kept", "kept"),
                    ("by gain alone", "gains"),
                    ("by wrong labels alone", "right"),
                    ("by a coin", "coin"),
                )
            },
            "mean gain": round(float(np.mean([row.get("gain", 0) for row in cell])), 4),
            "mean wrong": round(float(np.mean([row.get("wrong", 0) for row in cell])), 3),
        }
        for key, cell in sorted(cells.items())
    }


def main() -> None:
    """Runs the campaigns."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--campaigns", type=int, default=200)
    parser.add_argument("--keep", type=Path, help="a file of results, to go on from")
    parser.add_argument("--tune", action="store_true", help="on other files than those reported on")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if not DATA.exists():
        sys.exit(f"{DATA} is not there: this benchmark reads data beside the repository")
    rows: list[dict[str, Any]] = []
    if arguments.keep and arguments.keep.exists():
        rows = [json.loads(line) for line in arguments.keep.read_text("utf-8").splitlines()]
    done = {(row["data"], row["arm"], row["real"], row["seed"]) for row in rows}
    keys = list(campaigns(arguments.campaigns, TUNED if arguments.tune else REPORTED))
    rows = [row for row in rows if (row["data"], row["arm"], row["real"], row["seed"]) in keys]
    for key in track([key for key in keys if key not in done], console=Console(stderr=True)):
        rows.append(measure(key))
        if arguments.keep:
            with arguments.keep.open("a", encoding="utf-8") as file:
                file.write(json.dumps(rows[-1]) + "\n")
    figures = {"machine": f"{platform.machine()}, Python {platform.python_version()}"} | summarise(
        rows
    )
    if arguments.json:
        print(json.dumps(figures))
        return
    for key, value in figures.items():
        print(f"{key}: {value}")


if __name__ == "__main__":
    main()
