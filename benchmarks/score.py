"""What a round costs `tfidf` on a large pool whose features are stored.

    python -m benchmarks.score [--items 1000000] [--json]

Synthetic sentences of 8 to 30 words, Zipf-distributed over 50,000 made-up words; six labels;
2,000 labelled rows. Two things are measured, each against a baseline in the same run: scoring the
whole pool (scipy's bare product of the kept rows with the coefficients; scikit-learn's
OneVsRestClassifier on ready TF-IDF rows; all on one thread), and the features of 10,000
appended items (a full rebuild), at a tenth of the pool and at all of it.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from biasloop.domain.item import Item, seed_item
from biasloop.domain.label import LabelSource
from biasloop.domain.learning import TrainingSet
from biasloop.plugins.classifiers.terms.term_rows import TermRows
from biasloop.plugins.classifiers.terms.weighting import CHUNK
from biasloop.plugins.classifiers.tfidf import Tfidf
from biasloop.store.features import FeatureStore
from biasloop.store.pool import ArrowPool

LABELS, LABELLED, APPENDED, REPEATS = 6, 2_000, 10_000, 3


def sentences(n: int, seed: int) -> Iterator[Item]:
    """n items; the first of a word's letters are few, so that character n-grams recur."""
    rng = np.random.default_rng(seed)
    letters = np.array(list("aeiolnrtscdpmuvgbfhzq"))
    words = ["".join(rng.choice(letters, size)) for size in rng.integers(3, 12, 50_000)]
    frequency = 1 / np.arange(1, len(words) + 1)
    cumulative = (frequency / frequency.sum()).cumsum()
    for i in range(n):
        drawn = np.searchsorted(cumulative, rng.random(rng.integers(8, 31)))
        yield seed_item(f"{seed}-{i}", " ".join(words[min(j, len(words) - 1)] for j in drawn))


def best_seconds(work: Callable[[], Any]) -> float:
    """Seconds, the best of REPEATS: what the machine can do when others leave it alone."""
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def measure(items: int) -> Iterator[dict[str, Any]]:
    """A line per measured thing."""
    with tempfile.TemporaryDirectory() as folder:
        pool = ArrowPool(Path(folder) / "pool")
        store = FeatureStore(Path(folder) / "features", pool)
        pool.append(sentences(items // 10, seed=0))
        texts = pool.texts(range(LABELLED))
        classifier = Tfidf()
        encoder = classifier.encoder = classifier.make_encoder(
            texts, pool.texts(range(LABELLED, min(len(pool), 50_000)))
        )
        build(store, encoder, pool)
        small = append(store, encoder, pool, seed=1)
        pool.append(sentences(items - len(pool), seed=2))
        start = time.perf_counter()
        build(store, encoder, pool)
        rebuilt = (time.perf_counter() - start) * len(pool) / (items - items // 10)
        large = append(store, encoder, pool, seed=3)
        yield {
            "what": f"features of {APPENDED} appended items",
            "seconds": large,
            f"seconds_at_{items // 10}": small,
            "full_rebuild_seconds": rebuilt,
            "terms": encoder.width,
        }
        yield scoring(store, classifier, pool, texts)


def build(store: FeatureStore, encoder: Any, pool: ArrowPool) -> None:
    """Makes the rows of every shard that has none."""
    for shard in pool.shards():
        store.shard(encoder, shard)


def append(store: FeatureStore, encoder: Any, pool: ArrowPool, seed: int) -> float:
    """Seconds for the features of newly imported items."""
    pool.append(sentences(APPENDED, seed))
    start = time.perf_counter()
    build(store, encoder, pool)
    return time.perf_counter() - start


def scoring(
    store: FeatureStore, classifier: Tfidf, pool: ArrowPool, texts: list[str]
) -> dict[str, Any]:
    """The whole pool, by us, by the bare product, and by scikit-learn."""
    encoder = classifier.encoder
    assert encoder is not None
    shards = [cast(TermRows, store.shard(encoder, shard)) for shard in pool.shards()]
    rng = np.random.default_rng(0)
    labels = (rng.random((LABELLED, LABELS)) < 0.2).astype(np.int8)
    features = encoder.encode(texts)
    classifier.fit(
        TrainingSet(
            texts, labels, np.ones(LABELLED, np.float32), np.arange(LABELLED).astype(str),
            [LabelSource.HUMAN] * LABELLED, tuple("abcdef"), True, features,
        ),
        seed=0,
    )  # fmt: skip
    coef = np.ascontiguousarray(classifier.head.model.linear.coef)
    chunks = [
        (shard[i : i + CHUNK].presence(), min(CHUNK, len(shard) - i), shard.blocks)
        for shard in shards
        for i in range(0, len(shard), CHUNK)
    ]
    matrices = [
        sparse.csr_matrix((m.data, m.indices, m.indptr[::blocks]), shape=(n, m.shape[1]))
        for m, n, blocks in chunks
    ]

    def bare() -> None:
        for rows in matrices:
            rows @ coef

    def ours() -> None:
        for shard in shards:
            classifier.score_features(shard, frozenset({"proba"}))

    seconds, bare_seconds = best_seconds(ours), best_seconds(bare)
    weighting = classifier.head.model.weighting
    rows = weighting.matrix(shards[0])
    reference = OneVsRestClassifier(LogisticRegression(solver="liblinear", dual=True))
    reference.fit(weighting.matrix(features), labels)
    sklearn_seconds = (
        best_seconds(lambda: reference.predict_proba(rows)) * len(pool) / len(shards[0])
    )
    return {
        "what": f"score {len(pool)} items",
        "seconds": seconds,
        "bare_product_seconds": bare_seconds,
        "ratio": seconds / bare_seconds,
        "one_vs_rest_seconds": sklearn_seconds,
        "terms_a_row": float(np.mean([rows.ends[-1] / len(rows) for rows in shards])),
    }


def main() -> None:
    """Prints a JSON line per measured thing, or the same for people."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    for line in measure(arguments.items):
        if arguments.json:
            print(json.dumps({"machine": machine, **line}), flush=True)
        else:
            shown = (
                f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in line.items()
            )
            print(", ".join(shown))


if __name__ == "__main__":
    main()
