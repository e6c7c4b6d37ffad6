"""Thresholds and calibration for a pool that is unlike what the model learned from.

    python -m benchmarks.shift [--seeds 10] [--random 0 12 25 50 100 200] [--sample 2000] [--json]

Planted sentences. 300 training rows have each of three labels in half of the cases; the pool has
them in other shares and is on other topics, which are other words. Some items of the pool are drawn
at random and labelled, and the linear head that `tfidf` has learns from both. One line per pool and
number of random labels; means over seeds with 95 % intervals (bootstrap over seeds):

    loss    macro-F1 that is lost on 5,000 more sentences of the pool, compared with thresholds
            chosen with all their labels; `before`: thresholds by the rows that were learned from
    gain    macro-F1 over `before`, paired by seed
    error   difference between mean probability and share of positives, mean over ten bins of equal
            mass and over labels
    average_precision    minus that before
"""

import argparse
import json
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.planted import TOPICS, plant_sentences
from biasloop.domain.label import LabelSource
from biasloop.domain.learning import PoolSample, Proba, TrainingSet
from biasloop.domain.measure.ranking import average_precision
from biasloop.domain.measure.resample import RESAMPLES, percentile_interval
from biasloop.plugins.classifiers.head.head import fit_head
from biasloop.plugins.classifiers.terms.term_rows import TermRows
from biasloop.ports import no_checkpoint

POOLS = {
    "3, 10, 40 %": (0.03, 0.1, 0.4),
    "3 %": (0.03, 0.03, 0.03),
    "10 %": (0.1, 0.1, 0.1),
    "40 %": (0.4, 0.4, 0.4),
}
TRAINED, TEST, BINS = 300, 5_000, 10
EVEN = (0.5, 0.5, 0.5)
TRAINING_TOPICS, POOL_TOPICS = range(TOPICS // 2), range(TOPICS // 2, TOPICS)
STRENGTH, FOLDS = 8.0, 5

Truth = NDArray[np.bool_]


def run(shares: tuple[float, ...], random: int, sample: int, seed: int) -> dict[str, float]:
    """The figures of one seed."""
    learned = plant_sentences(TRAINED, seed, shares=EVEN, topics_from=TRAINING_TOPICS, draw=1)
    size = random + sample + TEST
    pool = plant_sentences(size, seed, shares=shares, topics_from=POOL_TOPICS, draw=2)
    test = pool.select(slice(random + sample, None))
    n = TRAINED + random
    data = TrainingSet(
        texts=[""] * n,
        labels=np.concatenate([learned.labels, pool.labels[:random]]),
        weights=np.ones(n, np.float32),
        roots=np.arange(n).astype(str),
        sources=[LabelSource.HUMAN] * n,
        label_names=tuple(map(str, range(len(shares)))),
        multi=True,
        features=_joined(learned.features, pool.features[:random]),
        random=np.arange(n) >= TRAINED,
        pool=PoolSample([""] * sample, pool.features[random : random + sample]),
    )
    truth = test.labels == 1

    def measure(data: TrainingSet) -> tuple[float, float, float, float]:
        head, _ = fit_head(
            data,
            strength=STRENGTH,
            folds=FOLDS,
            committee=False,
            seed=seed,
            checkpoint=no_checkpoint,
        )
        proba = head.proba(test.features)
        f1 = macro_f1(truth, proba >= head.thresholds)
        best = macro_f1(truth, proba >= best_thresholds(truth, proba))
        return f1, best - f1, calibration_error(truth, proba), mean_precision(truth, proba)

    before = measure(replace(data, random=None))
    after = measure(data)
    return {
        "loss": after[1],
        "loss_before": before[1],
        "gain": after[0] - before[0],
        "error": after[2],
        "error_before": before[2],
        "average_precision": after[3] - before[3],
    }


def _joined(some: TermRows, others: TermRows) -> TermRows:
    ends = np.concatenate([some.ends, some.ends[-1] + others.ends[1:] - others.ends[0]])
    indices = others.indices[others.ends[0] : others.ends[-1]]
    return TermRows(np.concatenate([some.indices, indices]), ends, some.blocks, some.width)


def macro_f1(truth: Truth, flags: Truth) -> float:
    """The mean F1 over labels."""
    both = truth.sum(axis=0) + flags.sum(axis=0)
    return float((2 * (truth & flags).sum(axis=0) / np.maximum(1, both)).mean())


def best_thresholds(truth: Truth, proba: Proba) -> NDArray[np.float32]:
    """For each label the threshold of the best F1 on these very rows."""
    best = []
    for yes, p in zip(truth.T, proba.T, strict=True):
        order = np.argsort(-p)
        f1 = 2 * np.cumsum(yes[order]) / (np.arange(len(p)) + 1 + yes.sum())
        best.append(p[order[f1.argmax()]])
    return np.array(best)


def calibration_error(truth: Truth, proba: Proba) -> float:
    """Mean over labels and bins of equal mass of |mean probability - share of positives|."""
    errors = [
        abs(p[rows].mean() - yes[rows].mean())
        for yes, p in zip(truth.T, proba.T, strict=True)
        for rows in np.array_split(np.argsort(p), BINS)
    ]
    return float(np.mean(errors))


def mean_precision(truth: Truth, proba: Proba) -> float:
    """The mean average precision over labels."""
    once = np.ones((1, len(proba)))
    areas = [average_precision(yes, p, once)[0] for yes, p in zip(truth.T, proba.T, strict=True)]
    return float(np.mean(areas))


def summary(runs: list[dict[str, float]], seed: int = 0) -> dict[str, Any]:
    """Means over the seeds with intervals: [value, low, high]."""
    n = len(runs)
    drawn = np.random.default_rng(seed).integers(n, size=(RESAMPLES, n))
    draws = np.concatenate([np.arange(n)[None], drawn])
    figures = {}
    for name in runs[0]:
        interval = percentile_interval(np.array([run[name] for run in runs])[draws].mean(axis=1))
        assert interval is not None
        figures[name] = [round(x, 3) for x in (interval.value, interval.low, interval.high)]
    return figures


def main() -> None:
    """Prints a line for each pool and number of random labels."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument(
        "--random", type=int, nargs="+", default=[0, 12, 25, 50, 100, 200], help="random labels"
    )
    parser.add_argument("--sample", type=int, default=2_000, help="unlabelled texts")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    for name, shares in POOLS.items():
        for random in arguments.random:
            seeds = range(arguments.seeds)
            figures = summary([run(shares, random, arguments.sample, seed) for seed in seeds])
            line = {"pool": name, "random": random, "seeds": arguments.seeds, **figures}
            print(json.dumps(line) if arguments.json else line, flush=True)


if __name__ == "__main__":
    main()
