"""A strategy that covers the pool: what is farthest from all that is labelled."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Rows
from biasloop.domain.learning import Scores
from biasloop.plugins.strategies.own import Floats, OwnStrategy, parts, unit

FIRST = 256
"""Labelled items that every candidate is compared with."""
MIN_CHUNK, MAX_CHUNK = 4_096, 65_536
"""Candidates that are compared with all centres at a time."""
CHOSEN = 2
"""Above every cosine: never the lowest again."""


class Coreset(OwnStrategy):
    """Again and again the candidate farthest (by cosine) from all that is labelled or chosen.

    The greedy k-center core-set of Sener and Savarese 2018, "Active Learning for Convolutional
    Neural Networks: A Core-Set Approach" (farthest-first traversal, Gonzalez 1985). Picks what
    small-text's GreedyCoreset picks, which compares everything with everything at every step, and
    begins without a label, by a draw.
    """

    needs = frozenset({"embedding"})

    def pick(self, scores: Scores, n: int, rng: np.random.Generator) -> Rows:
        """See farthest_first."""
        points = scores.arrays["embedding"]
        known = scores.labelled.get("embedding", points[:0])
        return farthest_first(points, rng.permutation(unit(known)), n, rng)


def farthest_first(points: NDArray[Any], known: Floats, n: int, rng: np.random.Generator) -> Rows:
    """n positions among `points` (m, e), each the farthest from `known` (l, e) and those before.

    Exact but lazy: a candidate's likeness to its nearest centre only grows as centres are added,
    so an old value is a lower bound, and only the candidates with the lowest bounds are compared
    with all centres. Ties fall as `rng` orders the candidates.
    """
    order = rng.permutation(len(points))
    centres = np.concatenate([known, np.empty((n, points.shape[1]), np.float32)])
    count = len(known)
    likeness = _nearest(points, known[:FIRST])[order]
    seen = np.full(len(points), len(known[:FIRST]))  # centres that it was compared with
    chosen: list[int] = []
    size = MIN_CHUNK
    while len(chosen) < n:
        ahead, bar = _lowest(likeness, size)
        rows, bound = unit(points[order[ahead]]), likeness[ahead]
        late = np.flatnonzero(seen[ahead] < count)
        if len(late):
            since = centres[seen[ahead[late]].min() : count]
            bound[late] = np.maximum(bound[late], _nearest(rows[late], since))
        before = len(chosen)
        while len(chosen) < n and bound.min() <= bar:
            best = bound.argmin()
            chosen.append(int(order[ahead[best]]))
            centres[count] = rows[best]
            count += 1
            bound = np.maximum(bound, rows @ rows[best])
            bound[best] = CHOSEN
        likeness[ahead], seen[ahead] = bound, count
        size = MIN_CHUNK if len(chosen) > before else min(2 * size, MAX_CHUNK)
    return np.array(chosen)


def _nearest(points: NDArray[Any], centres: Floats) -> Floats:
    """Cosine of each point (m, e) to its nearest centre, (m,); -2 where there is none."""
    found = np.empty(len(points), np.float32)
    for part in parts(len(points), len(centres)):
        found[part] = (unit(points[part]) @ centres.T).max(axis=1, initial=-2)
    return found


def _lowest(values: Floats, size: int) -> tuple[Rows, float]:
    """Positions of the `size` lowest values, and the lowest of the others."""
    if size >= len(values):
        return np.arange(len(values)), np.inf
    order = np.argpartition(values, size)
    return order[:size], float(values[order[size]])
