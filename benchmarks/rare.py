"""Positives of rare labels found per 1,000 labels, on a planted pool of 2 % of each.

    python -m benchmarks.rare [--seeds 10] [--items 20000] [--budget 1000] [--start cold]
        [--only auto "small-text CVIRS"] [--json]

Rounds of 50: train the linear head that `tfidf` has, calibrated and thresholded out of fold; score
the pool; choose; label. `cold` starts with 50 random sentences, which count; `seeds` with five
positives of each label and twenty random ones, which do not. The same seeds plant the same pools
for every strategy. One JSON line per strategy; intervals are 95 % (bootstrap over seeds, ratios
paired by seed).

    found        positives of the four rare labels among the labelled sentences
    fewest       positives of the rare label with the fewest
    times_random `found` over that of `random`
    rare_f1, common_f1   macro-F1 over the four rare and the two common labels on 5,000 more
                 sentences, `…_early` after a fifth of the budget
"""

import argparse
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.planted import COMMON, RARE_LABELS, SHARES, Planted, plant_sentences
from benchmarks.select import Theirs
from biasloop.domain.label import LabelSource
from biasloop.domain.learning import PoolSample, Scores, TrainingSet, sample_rows
from biasloop.domain.measure.metric import flag_labels
from biasloop.domain.measure.resample import RESAMPLES, percentile_interval
from biasloop.plugins.classifiers.head.head import Head, fit_head
from biasloop.plugins.registry import Kind, create
from biasloop.ports import Strategy, no_checkpoint

BATCH, TEST = 50, 5_000
SEED_POSITIVES, SEED_OTHERS = 5, 20
STRENGTH, FOLDS = 8.0, 5

Rows = NDArray[np.int64]
Figures = dict[str, float]


def strategies() -> dict[str, Strategy]:
    """By the name that the table shows; random first."""
    import small_text as theirs

    ours: dict[str, Strategy] = {
        name: create(Kind.STRATEGY, name)
        for name in (
            "random",
            "auto",
            "entropy",
            "margin_to_border",
            "bald",
            "coreset",
            "embedding_kmeans",
            "contrastive",
        )
    }
    ours["cluster_diverse of rarity"] = create(
        Kind.STRATEGY, "cluster_diverse", {"of": "rarity", "factor": 4}
    )
    ours["subsample of rarity"] = create(Kind.STRATEGY, "subsample", {"of": "rarity"})
    ours["small-text CVIRS"] = Theirs(theirs.CategoryVectorInconsistencyAndRanking(pbar=None))
    ours["small-text LeastConfidence"] = Theirs(theirs.LeastConfidence())
    ours["small-text PredictionEntropy"] = Theirs(theirs.PredictionEntropy())
    return ours


@dataclass(frozen=True, slots=True)
class Campaign:
    """A planted pool, the sentences it is tested on, and what is known at the start."""

    pool: Planted
    test: Planted
    start: Rows
    random: Rows
    """Those of `start` that were drawn at random."""
    counted: int
    """How many of `start` count as labels asked for: all or none."""
    seed: int
    budget: int

    def run(self, strategy: Strategy) -> Figures:
        """What one strategy finds, and the quality it leads to."""
        known, spent = self.start, self.counted
        marks: Figures = {}
        while True:
            head = self._train(known, "passes" in strategy.needs)
            if not marks and spent >= self.budget / 5:
                marks = {f"{name}_early": value for name, value in self._quality(head).items()}
            if spent >= self.budget:
                break
            others = np.setdiff1d(np.arange(len(self.pool)), known)
            scores = self._scores(head, others, known, strategy.needs)
            n = min(BATCH, self.budget - spent)
            known = np.append(known, others[strategy.choose(scores, n, self.seed * 1_000 + spent)])
            spent += n
        labelled = known if self.counted else known[len(self.start) :]
        positives = self.pool.labels[labelled][:, RARE_LABELS].sum(axis=0)
        return {
            "found": float(positives.sum()),
            "fewest": float(positives.min()),
            **self._quality(head),
            **marks,
        }

    def _train(self, known: Rows, committee: bool) -> Head:
        free = sample_rows(np.setdiff1d(np.arange(len(self.pool)), known), self.seed)
        data = TrainingSet(
            texts=[""] * len(known),
            labels=self.pool.labels[known],
            weights=np.ones(len(known), np.float32),
            roots=known.astype(np.str_),
            sources=[LabelSource.HUMAN] * len(known),
            label_names=tuple(str(j) for j in range(len(SHARES))),
            multi=True,
            features=self.pool.features[known],
            random=np.isin(known, self.random),
            pool=PoolSample([""] * len(free), self.pool.features[free]),
        )
        head, _ = fit_head(
            data,
            strength=STRENGTH,
            folds=FOLDS,
            committee=committee,
            seed=self.seed,
            checkpoint=no_checkpoint,
        )
        return head

    def _scores(self, head: Head, others: Rows, known: Rows, needs: frozenset[str]) -> Scores:
        def arrays(rows: Rows) -> dict[str, NDArray[np.float32]]:
            part = self.pool.select(rows)
            arrays_by_name: dict[str, Callable[[], NDArray[np.float32]]] = {
                "proba": lambda: head.proba(part.features),
                "passes": lambda: head.passes(part.features),
                "embedding": lambda: part.embedding,
            }
            return {name: arrays_by_name[name]() for name in needs}

        return Scores(arrays(others), head.thresholds, True, arrays(known), self.pool.labels[known])

    def _quality(self, head: Head) -> Figures:
        truth = self.test.labels == 1
        flags = flag_labels(head.proba(self.test.features), head.thresholds, multi=True)
        f1 = (
            2 * (truth & flags).sum(axis=0) / np.maximum(1, (truth.sum(axis=0) + flags.sum(axis=0)))
        )
        return {
            "rare_f1": float(f1[RARE_LABELS].mean()),
            "common_f1": float(f1[: len(COMMON)].mean()),
        }


def plant_campaign(items: int, seed: int, budget: int, start: str) -> Campaign:
    """A campaign on planted sentences, determined by the seed."""
    sentences = plant_sentences(items + TEST, seed)
    pool, rng = sentences.select(slice(0, items)), np.random.default_rng(seed)
    known = random = rng.choice(items, BATCH if start == "cold" else SEED_OTHERS, replace=False)
    if start == "seeds":
        for j in range(len(SHARES)):
            has = np.setdiff1d(np.flatnonzero(pool.labels[:, j]), known)
            known = np.append(known, rng.choice(has, SEED_POSITIVES, replace=False))
    counted = len(known) if start == "cold" else 0
    return Campaign(
        pool, sentences.select(slice(items, None)), known, random, counted, seed, budget
    )


def summary(runs: list[Figures], random: list[Figures], seed: int = 0) -> dict[str, Any]:
    """Means over the seeds with intervals: [value, low, high]."""
    rng = np.random.default_rng(seed)
    n = len(runs)
    draws = np.concatenate([np.arange(n)[None], rng.integers(n, size=(RESAMPLES, n))])

    def means(some_runs: list[Figures], name: str) -> NDArray[np.float64]:
        by_resample: NDArray[np.float64] = np.array([run[name] for run in some_runs])[draws].mean(
            axis=1
        )
        return by_resample

    def rounded(values: NDArray[np.float64], digits: int) -> list[float]:
        by_resample = percentile_interval(values)
        assert by_resample is not None
        return [round(x, digits) for x in (by_resample.value, by_resample.low, by_resample.high)]

    figures = {
        name: rounded(means(runs, name), 1 if name in ("found", "fewest") else 3)
        for name in runs[0]
    }
    ratio = rounded(means(runs, "found") / means(random, "found"), 2)
    return {"times_random": ratio, **figures}


def main() -> None:
    """Runs all strategies on one campaign after the other, and prints the means."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--budget", type=int, default=1_000)
    parser.add_argument("--start", choices=("cold", "seeds"), default="cold")
    parser.add_argument("--only", nargs="+", metavar="STRATEGY", help="beside random; default: all")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    names = {"random", *arguments.only} if arguments.only else set(strategies())
    if unknown := names - set(strategies()):
        parser.error(f"no strategy {', '.join(unknown)}; there are {', '.join(strategies())}")
    warnings.simplefilter("ignore", RuntimeWarning)  # logarithms of 0, in small-text
    runs: dict[str, list[Figures]] = {name: [] for name in strategies() if name in names}
    for seed in range(arguments.seeds):
        campaign = plant_campaign(arguments.items, seed, arguments.budget, arguments.start)
        for name, strategy in strategies().items():
            if name in names:
                runs[name].append(campaign.run(strategy))
    for name, strategy_runs in runs.items():
        line = {
            "strategy": name,
            "seeds": arguments.seeds,
            **summary(strategy_runs, runs["random"]),
        }
        print(json.dumps(line) if arguments.json else f"{name:30} {line}", flush=True)


if __name__ == "__main__":
    main()
