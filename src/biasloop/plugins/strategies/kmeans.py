"""A strategy that spreads a batch: one item of each part of the pool."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Rows
from biasloop.domain.learning import Scores
from biasloop.plugins.strategies.own import Floats, OwnStrategy, parts, unit

SAMPLE, PER_CENTRE = 25_000, 25
"""Candidates that the centres are found on: so many, and at least so many for each."""
STEPS = 25


class EmbeddingKMeans(OwnStrategy):
    """n clusters of the candidates (by cosine), and of each the one nearest to its centre.

    Yuan et al. 2020, "Cold-start Active Learning through Self-supervised Language Modeling",
    without their surprisal. In larger pools the centres are those of a random sample: an
    approximation of small-text's EmbeddingKMeans, which clusters and copies the whole pool.
    """

    needs = frozenset({"embedding"})

    def pick(self, scores: Scores, n: int, rng: np.random.Generator) -> Rows:
        """Where equal candidates leave clusters empty, the rest is drawn."""
        points = scores.arrays["embedding"]
        m = len(points)
        sample = np.sort(rng.choice(m, min(m, max(SAMPLE, PER_CENTRE * n)), replace=False))
        cluster, likeness = _assign(points, _centres(unit(points[sample]), n, rng))
        best = np.full(n, -np.inf, np.float32)
        np.maximum.at(best, cluster, likeness)
        nearest = rng.permutation(np.flatnonzero(likeness == best[cluster]))
        picked = nearest[np.unique(cluster[nearest], return_index=True)[1]]
        others = np.setdiff1d(np.arange(m), picked)
        return np.concatenate([picked, rng.choice(others, n - len(picked), replace=False)])


def _centres(points: Floats, n: int, rng: np.random.Generator) -> Floats:
    """Centres (n, e) of length 1."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    kmeans = KMeans(n, n_init=1, max_iter=STEPS, random_state=int(rng.integers(2**31)))
    # Threads add up in any order: one thread, so that the same seed gives the same centres.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct points than n
        return unit(kmeans.fit(points).cluster_centers_)


def _assign(points: NDArray[Any], centres: Floats) -> tuple[Rows, Floats]:
    """The nearest centre of each point (m, e), and its cosine to it."""
    cluster = np.empty(len(points), np.int64)
    likeness = np.empty(len(points), np.float32)
    for part in parts(len(points), len(centres)):
        found = unit(points[part]) @ centres.T
        cluster[part] = found.argmax(axis=1)
        likeness[part] = found.max(axis=1)
    return cluster, likeness
