"""A strategy that covers the pool: it picks the items farthest from all labelled ones."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Rows
from biasloop.domain.learning import Scores
from biasloop.plugins.strategies.own import Floats, OwnStrategy, chunks, unit

INITIAL_CENTRES = 256
"""Labelled items that every candidate is compared with at the start."""
MIN_CHUNK, MAX_CHUNK = 4_096, 65_536
"""How many candidates are compared with all centres at a time."""
CHOSEN = 2
"""Similarity given to a chosen candidate: above every cosine, so it is never chosen again."""


class Coreset(OwnStrategy):
    """Repeatedly the candidate farthest (by cosine) from all labelled and chosen items.

    The greedy k-center core-set of Sener and Savarese 2018, "Active Learning for Convolutional
    Neural Networks: A Core-Set Approach" (farthest-first traversal, Gonzalez 1985). Picks what
    small-text's GreedyCoreset picks, which compares everything with everything at every step.
    Without labelled items the first pick is random.
    """

    needs = frozenset({"embedding"})

    def pick(self, scores: Scores, n: int, rng: np.random.Generator) -> Rows:
        """See farthest_first."""
        points = scores.arrays["embedding"]
        labelled = scores.labelled.get("embedding", points[:0])
        return farthest_first(points, rng.permutation(unit(labelled)), n, rng)


def farthest_first(
    points: NDArray[Any], labelled: Floats, n: int, rng: np.random.Generator
) -> Rows:
    """n positions in `points` (m, e), each farthest from `labelled` (l, e) and the earlier picks.

    Exact but lazy: a candidate's similarity to its nearest centre only grows as centres are
    added, so an old value is a lower bound, and only the candidates with the lowest bounds are
    compared with all centres. Ties are broken at random.
    """
    order = rng.permutation(len(points))
    centres = np.concatenate([labelled, np.empty((n, points.shape[1]), np.float32)])
    count = len(labelled)
    similarity = _nearest(points, labelled[:INITIAL_CENTRES])[order]
    compared = np.full(len(points), len(labelled[:INITIAL_CENTRES]))  # with how many centres
    chosen: list[int] = []
    size = MIN_CHUNK
    while len(chosen) < n:
        lowest, next_bound = _lowest(similarity, size)
        vectors, bound = unit(points[order[lowest]]), similarity[lowest]
        outdated = np.flatnonzero(compared[lowest] < count)
        if len(outdated):
            new_centres = centres[compared[lowest[outdated]].min() : count]
            bound[outdated] = np.maximum(bound[outdated], _nearest(vectors[outdated], new_centres))
        before = len(chosen)
        while len(chosen) < n and bound.min() <= next_bound:
            best = bound.argmin()
            chosen.append(int(order[lowest[best]]))
            centres[count] = vectors[best]
            count += 1
            bound = np.maximum(bound, vectors @ vectors[best])
            bound[best] = CHOSEN
        similarity[lowest], compared[lowest] = bound, count
        size = MIN_CHUNK if len(chosen) > before else min(2 * size, MAX_CHUNK)
    return np.array(chosen)


def _nearest(points: NDArray[Any], centres: Floats) -> Floats:
    """Cosine of each point (m, e) to its nearest centre, (m,); -2 where there is none."""
    cosines = np.empty(len(points), np.float32)
    for chunk in chunks(len(points), len(centres)):
        cosines[chunk] = (unit(points[chunk]) @ centres.T).max(axis=1, initial=-2)
    return cosines


def _lowest(values: Floats, size: int) -> tuple[Rows, float]:
    """Positions of the `size` lowest values, and the lowest of the others."""
    if size >= len(values):
        return np.arange(len(values)), np.inf
    order = np.argpartition(values, size)
    return order[:size], float(values[order[size]])
