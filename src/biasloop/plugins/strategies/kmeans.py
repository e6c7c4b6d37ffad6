"""A strategy that makes a batch diverse: one item from each cluster of the pool."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Rows
from biasloop.domain.learning import Scores
from biasloop.plugins.strategies.own import Floats, OwnStrategy, chunks, unit

SAMPLE, PER_CENTRE = 25_000, 25
"""Candidates that the centres are computed from: in all, and at least for each centre."""
MAX_ITERATIONS = 25


class EmbeddingKMeans(OwnStrategy):
    """n clusters of the candidates (by cosine), and from each the one nearest to its centre.

    Yuan et al. 2020, "Cold-start Active Learning through Self-supervised Language Modeling",
    without their surprisal. In larger pools the centres come from a random sample: an
    approximation of small-text's EmbeddingKMeans, which clusters and copies the whole pool.
    """

    needs = frozenset({"embedding"})

    def pick(self, scores: Scores, n: int, rng: np.random.Generator) -> Rows:
        """Where equal candidates leave clusters empty, the rest is picked at random."""
        points = scores.arrays["embedding"]
        m = len(points)
        sample = np.sort(rng.choice(m, min(m, max(SAMPLE, PER_CENTRE * n)), replace=False))
        cluster, similarity = _assign(points, _centres(unit(points[sample]), n, rng))
        best = np.full(n, -np.inf, np.float32)
        np.maximum.at(best, cluster, similarity)
        nearest = rng.permutation(np.flatnonzero(similarity == best[cluster]))
        picked = nearest[np.unique(cluster[nearest], return_index=True)[1]]
        others = np.setdiff1d(np.arange(m), picked)
        return np.concatenate([picked, rng.choice(others, n - len(picked), replace=False)])


def _centres(points: Floats, n: int, rng: np.random.Generator) -> Floats:
    """Centres (n, e) of length 1."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    kmeans = KMeans(n, n_init=1, max_iter=MAX_ITERATIONS, random_state=int(rng.integers(2**31)))
    # Several threads add up in any order; with one, the same seed gives the same centres.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct points than n
        return unit(kmeans.fit(points).cluster_centers_)


def _assign(points: NDArray[Any], centres: Floats) -> tuple[Rows, Floats]:
    """The nearest centre of each point (m, e), and its cosine to it."""
    cluster = np.empty(len(points), np.int64)
    similarity = np.empty(len(points), np.float32)
    for chunk in chunks(len(points), len(centres)):
        cosines = unit(points[chunk]) @ centres.T
        cluster[chunk] = cosines.argmax(axis=1)
        similarity[chunk] = cosines.max(axis=1)
    return cluster, similarity
