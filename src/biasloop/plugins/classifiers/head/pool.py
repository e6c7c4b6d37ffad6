"""Fits a calibrated model to the pool, by the labels of items that were drawn from it at random.

About half of the labels that a strategy acquires are positive, whatever the pool is like. So what
is calibrated on them alone is not calibrated for the pool.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.label import Labels
from biasloop.plugins.classifiers.head.calibration import Array, Calibration, sigmoid, softmax

MIN_RANDOM_ROOTS = 12
"""A model is fitted to the pool from labels of this many random roots on; in a single-label scheme
people must have labelled that many roots for each class, random or acquired."""
SHARED_SPREAD, SPREAD, SLOPE_SPREAD = 3.0, 1.0, 0.3
"""Standard deviations of normal priors: of the shift that all labels share, in log-odds; of each
label's own shift; and of the logarithm of its slope."""
ACQUIRED_SPREAD = 0.15
"""Standard deviation of the prior of a class's shift among random items minus that among acquired
ones."""
STEEPENING = 0.4
"""The logarithm of the slope that random items need, if the calibration is by acquired ones alone.
Measured on training files of five public sets (benchmarks/RESULTS.md)."""
TINY = 1e-300
"""Keeps the logarithm of a probability finite."""

Mask = NDArray[np.bool_]


def fit_labels_to_pool(
    calibration: Calibration, scores: Array, labels: Labels, weights: Array
) -> Calibration:
    """The calibration of a multi-label scheme for the pool, by scores and labels (n, k) of random
    items of it, which weigh `weights` (n,); labels that are MISSING are ignored.

    It is the most probable one under normal priors around what was calibrated before: a shift of
    the log-odds that all labels share, each label's own difference from it, and its slope. So the
    first dozens of labels move all labels together, and the more answers a label has, the more it
    follows its own. As slopes are positive, no ranking is reversed.
    """
    k = labels.shape[1]
    log_odds = calibration.log_odds(scores)
    asked = (labels >= 0) * weights[:, None]
    truth = (labels == 1).astype(np.float64)
    spread = np.array([SHARED_SPREAD, *[SPREAD] * k, *[SLOPE_SPREAD] * k])

    def loss(parameters: Array) -> tuple[float, Array]:
        slope, shift = np.exp(parameters[1 + k :]), parameters[0] + parameters[1 : 1 + k]
        z = slope * log_odds + shift
        error = (sigmoid(z) - truth) * asked
        by_label, by_slope = error.sum(axis=0), (error * log_odds).sum(axis=0) * slope
        cost = float(((np.logaddexp(0, z) - truth * z) * asked).sum())
        return cost, np.array([by_label.sum(), *by_label, *by_slope])

    fitted = _most_probable(loss, spread)
    slope, shift = np.exp(fitted[1 + k :]), fitted[0] + fitted[1 : 1 + k]
    return Calibration(calibration.slope * slope, calibration.offset * slope + shift, multi=True)


def fit_classes_to_pool(
    calibration: Calibration,
    scores: Array,
    labels: Labels,
    weights: Array,
    random: Mask,
    acquired: Mask,
) -> Calibration:
    """The calibration of a single-label scheme for the pool, by scores and labels (n, k) of rows,
    which weigh `weights` (n,): `random` (n,) items of it, and `acquired` ones. Other rows count
    only among those that `calibration` was fitted to.

    Strategies choose by scores. So acquired items say nearly as well as random ones where one class
    becomes more probable than another, and only they are many. But those chosen are the hard ones:
    the probabilities of others depend more on the score. The calibration is the most probable one
    under normal priors: shifts of the classes, a small difference of them among random items, and
    the slope that random items need, which grows with the share of acquired ones.
    """
    k = labels.shape[1]
    rows = (labels == 1).any(axis=1) & (random | acquired)
    log_odds, truth, drawn = calibration.log_odds(scores[rows]), labels[rows] == 1, random[rows]
    weight = weights[rows, None]
    steepening = STEEPENING * weights[acquired].sum() / weights.sum()
    spread = np.array([*[SPREAD] * k, *[ACQUIRED_SPREAD] * k, SLOPE_SPREAD])

    def loss(parameters: Array) -> tuple[float, Array]:
        shift, difference = parameters[:k], parameters[k : 2 * k]
        slope = np.exp(steepening + parameters[-1])
        z = np.where(drawn[:, None], slope * log_odds + difference, log_odds) + shift
        proba = softmax(z)
        error = (proba - truth) * weight
        of_random = error[drawn]
        by_slope = (of_random * log_odds[drawn]).sum() * slope
        cost = -float((np.log(np.maximum(proba, TINY)) * truth * weight).sum())
        return cost, np.array([*error.sum(axis=0), *of_random.sum(axis=0), by_slope])

    fitted = _most_probable(loss, spread)
    slope, shift = np.exp(steepening + fitted[-1]), fitted[:k] + fitted[k : 2 * k]
    return Calibration(calibration.slope * slope, calibration.offset * slope + shift, multi=False)


def move_thresholds(thresholds: Array, fitted: Calibration, before: Calibration) -> Array:
    """Thresholds (k,) of classes, with a sum of 1, that give the same verdicts for probabilities by
    `before` as `thresholds` (k,) give for those by `fitted`, whose slopes are those of `before`
    times a number."""
    slope = fitted.slope / before.slope
    log = before.offset - (fitted.offset - np.log(thresholds)) / slope
    return np.asarray(softmax(log[None])[0])


def _most_probable(loss: Callable[[Array], tuple[float, Array]], spread: Array) -> Array:
    """The parameters with the least loss (the minus log likelihood and its gradient) under normal
    priors around 0 with the standard deviations `spread`."""
    from scipy.optimize import minimize  # slow to import, and only fitting needs it

    def penalised(parameters: Array) -> tuple[float, Array]:
        cost, gradient = loss(parameters)
        scaled = parameters / spread
        return cost + float(scaled @ scaled) / 2, gradient + scaled / spread

    start = np.zeros(len(spread))
    fitted: Array = minimize(penalised, start, jac=True, method="L-BFGS-B").x
    return fitted
