"""From calibrated probabilities to decisions."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NOTHING = 1.0
"""The threshold of a label that is never flagged: calibrated probabilities stay below."""
PASSES = 3
"""How often the thresholds of all classes are set in turn."""
TINY = 1e-9
"""Keeps quotients finite."""


def best_threshold(probabilities: Array, weights: Array, precision: float = 0.0) -> float:
    """The threshold with the best expected F1 among those that keep the expected `precision`.

    It is NOTHING if none does. Without a precision, the threshold is in (0, 0.5]: for calibrated
    probabilities it is half of the best F1 (Lipton et al. 2014). The expectation is over all rows,
    so single positives change it less than they change the threshold of the best observed F1. On
    held-out rows it is as good or better; the fewer the positives, the more so.
    """
    order = np.argsort(-probabilities, kind="stable")
    p, w = probabilities[order], weights[order]
    flagged, hits = np.cumsum(w), np.cumsum(w * p)
    threshold = float((2 * hits / (flagged + hits[-1])).max() / 2)
    if not precision:
        return threshold
    # A lower threshold has a lower expected precision, and below the best one a lower expected F1:
    # so the lowest threshold that keeps the precision is taken, if the best one does not.
    allowed = np.flatnonzero((hits >= precision * flagged) & np.append(np.diff(p) != 0, True))
    if not len(allowed):
        return NOTHING
    last = allowed[-1]
    below = p[last + 1] if last + 1 < len(p) else 0.0
    return max(threshold, float(p[last] + below) / 2)


def pool_thresholds(proba: NDArray[np.floating], multi: bool, precision: Array) -> Array:
    """The thresholds (k,) for the pool, from probabilities (m, k) of a random sample of it: in a
    multi-label scheme those with the best expected F1 of each label that keep the expected
    `precision` (k,), else see class_thresholds."""
    p = proba.astype(np.float64)
    if not multi:
        return class_thresholds(p)
    weights = np.ones(len(p))
    return np.array([best_threshold(p[:, j], weights, least) for j, least in enumerate(precision)])


def class_thresholds(proba: Array) -> Array:
    """The thresholds (k,) of k classes with the best expected macro-F1 over probabilities (n, k).

    The chosen class is the one whose probability is the highest multiple of its threshold.
    Thresholds are set in turn, each to the best value given the others (coordinate ascent), and
    have a sum of 1.
    """
    n, k = proba.shape
    rows = np.arange(n)
    thresholds, totals = np.full(k, 1 / k), proba.sum(axis=0)
    for j in [*range(k)] * PASSES:
        others = proba / thresholds
        others[:, j] = -np.inf
        other = others.argmax(axis=1)
        # As its threshold falls, class j takes the texts in this order from the other classes.
        ratio = proba[:, j] / np.maximum(others[rows, other], TINY)
        order = np.argsort(-ratio, kind="stable")
        chosen, hits = np.zeros((n + 1, k)), np.zeros((n + 1, k))
        chosen[0] = np.bincount(other, minlength=k)
        hits[0] = np.bincount(other, proba[rows, other], k)
        chosen[rows + 1, other[order]], chosen[rows + 1, j] = -1, 1
        hits[rows + 1, other[order]] = -proba[order, other[order]]
        hits[rows + 1, j] = proba[order, j]
        f1 = 2 * hits.cumsum(axis=0) / np.maximum(chosen.cumsum(axis=0) + totals, TINY)
        best = f1.mean(axis=1).argmax()
        # The threshold is put between the last of the `best` texts that it takes and the next one.
        ends = np.concatenate([[2 * ratio.max() + TINY], ratio[order], [0]])
        thresholds[j] = max(ends[best : best + 2].mean(), TINY)
        thresholds /= thresholds.sum()
    return thresholds
