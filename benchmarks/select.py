"""How long it takes to choose 100 items of a pool, compared with small-text 1.4.1.

    python -m benchmarks.select [--items 1000000] [--json]

Scores are made up and seeded: 6 labels, 10 passes, 256-dimensional embeddings in 500 topics of
uneven size, 1,000 labelled items. Each choice runs in a process of its own, forked when all modules
and the input are in memory; `seconds` is the median of three. One JSON line per strategy and, where
it matters, scheme:

    seconds             wall-clock time of `choose`
    index_seconds       making an index beforehand: 0, none of the strategies needs one
    small_text_seconds  its own counterpart's time; null if it has none, or if it took over
                        `small_text_timeout` seconds
    extra_mb            peak memory above the input
    same_picks          share of the picks that are small-text's too, where both define the same
                        choice exactly; else null
"""

import argparse
import json
import multiprocessing
import resource
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from statistics import median
from typing import Any

import numpy as np
import small_text

from biasloop.domain.batch import Rows
from biasloop.domain.learning import Scores, Similarity
from biasloop.plugins.registry import Kind, create
from biasloop.plugins.strategies.own import Floats, unit
from biasloop.plugins.strategies.small_text import SmallText

BATCH, LABELS, PASSES, DIMENSIONS, TOPICS, LABELLED = 100, 6, 10, 256, 500, 1_000
TIMES = 3
TIMEOUT = 200

Line = dict[str, Any]
Counterpart = Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Case:
    """A strategy to time; `scheme` is "" where its choice does not depend on it. `exact` if its
    small-text counterpart defines the same choice."""

    strategy: str
    scheme: str = ""
    counterpart: Counterpart | None = None
    exact: bool = False
    note: str = ""


def contrastive() -> Any:
    """small-text's, without its progress bar."""
    return small_text.ContrastiveActiveLearning(pbar=None)


def cvirs() -> Any:
    """small-text's, without its progress bar."""
    return small_text.CategoryVectorInconsistencyAndRanking(pbar=None)


def subsampling() -> Any:
    """small-text's, over its own breaking ties."""
    return small_text.SubsamplingQueryStrategy(small_text.BreakingTies())


KMEANS = "approximation: the centres are those of a random sample of 25,000"
CAL = (
    "approximation: over 250 million pairs of candidate and labelled item, a random part of the "
    "candidates is looked at; small-text seeks neighbours in the whole pool, not as published"
)
FISHER = (
    "approximation: the batch comes from the 1,000 most doubted, 1,000 more stand for the pool; "
    "likeness is that of the embeddings"
)
WRONG = "small-text's is wrong for multi-label schemes"
CASES = [
    Case("random", "", small_text.RandomSampling, True),
    Case("breaking_ties", "single", small_text.BreakingTies, True),
    Case("entropy", "single", small_text.PredictionEntropy, True),
    Case("entropy", "multi", small_text.PredictionEntropy, note=WRONG),
    Case("margin_to_border", "multi"),
    Case("rarity", "multi", cvirs),
    Case("fisher", "single", note=FISHER),
    Case("fisher", "multi", note=FISHER),
    Case("auto", "single", small_text.BreakingTies, note=FISHER),
    Case("auto", "multi"),
    Case("bald", "single", small_text.BALD, True),
    Case("bald", "multi", small_text.BALD, note=WRONG),
    Case("coreset", "", small_text.GreedyCoreset, True),
    Case("embedding_kmeans", "", small_text.EmbeddingKMeans, note=KMEANS),
    Case("contrastive", "single", contrastive, note=CAL),
    Case("contrastive", "multi", note=CAL),
    Case("softrank", "multi"),
    Case("subsample", "single", subsampling),
    Case("subsample", "multi"),
    Case("cluster_diverse", "single"),
    Case("cluster_diverse", "multi"),
]  # fmt: skip


class Theirs(SmallText):
    """One of small-text's own query strategies over our stored scores."""

    def __init__(self, query_strategy: Any) -> None:
        self._query_strategy = query_strategy

    def query_strategy(self, scores: Scores, rng: np.random.Generator) -> Any:
        """The one given."""
        return self._query_strategy


def make_scores(items: int, seed: int) -> dict[str, Scores]:
    """By scheme; both share the embeddings. Multi-label probabilities are mostly near 0."""
    rng = np.random.default_rng(seed)
    topics = rng.standard_normal((TOPICS, DIMENSIONS), dtype=np.float32)
    embedding, known = (_embedding(n, topics, rng) for n in (items, LABELLED))
    scores = {}
    for scheme in ("single", "multi"):
        passes, labelled_passes = (_passes(n, scheme == "multi", rng) for n in (items, LABELLED))
        proba = labelled_passes.mean(axis=1)
        labels = (rng.random(proba.shape) < proba).astype(np.int8)
        if scheme == "single":
            labels = np.eye(LABELS, dtype=np.int8)[proba.argmax(axis=1)]
        scores[scheme] = Scores(
            {"proba": passes.mean(axis=1), "passes": passes, "embedding": embedding},
            np.full(LABELS, 0.3, np.float32),
            scheme == "multi",
            {"proba": proba, "passes": labelled_passes, "embedding": known},
            labels,
            _likeness(embedding, known),
        )
    return scores


def _likeness(embedding: Floats, known: Floats) -> Similarity:
    def rows(places: Rows) -> Floats:
        joined = np.empty((len(places), DIMENSIONS), np.float32)
        free = places < len(embedding)
        joined[free], joined[~free] = embedding[places[free]], known[places[~free] - len(embedding)]
        return unit(joined)

    return lambda some, others: rows(some) @ rows(others).T


def _embedding(n: int, topics: Floats, rng: np.random.Generator) -> Floats:
    embedding = rng.standard_normal((n, DIMENSIONS), dtype=np.float32)
    topic = rng.zipf(1.3, n) % TOPICS
    for start in range(0, n, 50_000):  # no second copy
        embedding[start : start + 50_000] += topics[topic[start : start + 50_000]]
    return embedding


def _passes(n: int, multi: bool, rng: np.random.Generator) -> Floats:
    score = 2 * rng.standard_normal((n, 1, LABELS), dtype=np.float32) - 3 * multi
    odds = np.exp(score + 0.5 * rng.standard_normal((n, PASSES, LABELS), dtype=np.float32))
    passes: Floats = odds / ((1 + odds) if multi else odds.sum(axis=-1, keepdims=True))
    return passes


def measure(strategy: Any, scores: Scores, n: int, times: int) -> Line | None:
    """Seconds, picks and peak memory of a choice; None after TIMEOUT seconds."""
    fork = multiprocessing.get_context("fork")
    ours, child_end = fork.Pipe(duplex=False)
    child = fork.Process(target=_choose, args=(child_end, strategy, scores, n, times))
    child.start()
    child_end.close()
    try:
        return ours.recv() if ours.poll(TIMEOUT) else None
    finally:
        child.kill()
        child.join()


def _choose(answer: Connection, strategy: Any, scores: Scores, n: int, times: int) -> None:
    warnings.simplefilter("ignore")  # scipy's and sklearn's, from small-text
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        chosen = strategy.choose(scores, n, 0)
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer.send({"seconds": median(seconds), "chosen": chosen, "extra_mb": (peak - before) / 1024})


def result(case: Case, scores: Scores) -> Line:
    """The line of one strategy."""
    n = min(BATCH, len(scores.arrays["proba"]) // 2)
    ours = measure(create(Kind.STRATEGY, case.strategy), scores, n, TIMES)
    line: Line = {
        "strategy": case.strategy,
        "scheme": case.scheme or "both",
        "seconds": ours and round(ours["seconds"], 4),
        "index_seconds": 0.0,
        "small_text_seconds": None,
        "extra_mb": ours and round(ours["extra_mb"]),
        "same_picks": None,
    }
    if case.counterpart:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = measure(Theirs(case.counterpart()), scores, n, 1)
        if theirs is None:
            line["small_text_timeout"] = TIMEOUT
        else:
            line["small_text_seconds"] = round(theirs["seconds"], 3)
        if ours and theirs and case.exact:
            line["same_picks"] = float(np.isin(ours["chosen"], theirs["chosen"]).mean())
    return line | ({"note": case.note} if case.note else {})


def main() -> None:
    """Prints a line per case as it comes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    by_scheme = make_scores(arguments.items, seed=0)
    for case in CASES:
        line = result(case, by_scheme[case.scheme or "single"])
        if arguments.json:
            print(json.dumps(line), flush=True)
        else:
            print("  ".join(f"{key}={value}" for key, value in line.items()), flush=True)


if __name__ == "__main__":
    main()
