"""Average precision: how well probabilities rank the items of one label."""

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.measure.resample import Array


def average_precision(
    truth: NDArray[np.bool_], proba: NDArray[np.floating], weights: Array
) -> Array:
    """Average precision of one label on r resamples, (r,); NaN where there are no positives.

    It is the area under the steps of the precision-recall curve; tied probabilities are one step.
    `truth` and `proba` are (n,); `weights` (r, n) says how often each item counts.
    """
    order = np.argsort(-proba, kind="stable")
    last_of_tie = np.append(np.diff(proba[order]) != 0, True)
    hits = (weights[:, order] * truth[order]).cumsum(axis=1)[:, last_of_tie]
    flagged = weights[:, order].cumsum(axis=1)[:, last_of_tie]
    precision = np.divide(hits, flagged, out=np.zeros_like(hits), where=flagged > 0)
    steps = np.diff(hits, axis=1, prepend=0)
    area, positive = (steps * precision).sum(axis=1), hits[:, -1]
    value: Array = np.divide(area, positive, out=np.full_like(area, np.nan), where=positive > 0)
    return value


def average_precision_influence(
    truth: NDArray[np.bool_], proba: NDArray[np.floating], weights: Array
) -> tuple[float, Array]:
    """Average precision with weights (n,) > 0, and by how much it changes with each item's weight,
    per unit of weight, (n,). At least one item is positive.

    It is Σ w y P / Σ w y, where P is the precision among all items at least as probable. A weight
    changes the sums, and P at its own probability and all lower ones.
    """
    order = np.argsort(-proba, kind="stable")
    yes, w = truth[order].astype(np.float64), weights[order]
    last_of_tie = np.append(np.diff(proba[order]) != 0, True)
    step = np.cumsum(np.append(0, last_of_tie[:-1]))  # of each item, from the most probable on
    flagged = np.cumsum(w)[last_of_tie]
    precision = np.cumsum(w * yes)[last_of_tie] / flagged
    positive = np.bincount(step, weights=w * yes)
    total = positive.sum()
    value = float(positive @ precision / total)
    later = np.cumsum((positive / flagged)[::-1])[::-1]
    later_precision = np.cumsum((positive * precision / flagged)[::-1])[::-1]
    influence = np.empty(len(truth))
    influence[order] = (
        yes * (precision[step] + later[step] - value) - later_precision[step]
    ) / total
    return value, influence
