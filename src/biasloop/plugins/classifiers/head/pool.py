"""Fits a calibrated model to the pool, by the labels of items that were drawn from it at random.

About half of the labels that a strategy acquires are positive, whatever the pool is like. So what
is calibrated on them alone is not calibrated for the pool.
"""

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.label import Labels
from biasloop.plugins.classifiers.head.calibration import Array, Calibration, sigmoid, softmax

MIN_RANDOM_ROOTS = 12
"""A model is fitted to the pool from labels of this many random roots on; in a single-label scheme,
of that many for each class."""
SHARED_SPREAD, SPREAD, SLOPE_SPREAD = 3.0, 1.0, 0.3
"""Standard deviations of normal priors: of the shift that all labels share, in log-odds; of each
label's own shift; and of the logarithm of its slope."""
TINY = 1e-300
"""Keeps the logarithm of a probability finite."""


def fit_to_pool(
    calibration: Calibration, scores: Array, labels: Labels, weights: NDArray[np.float64]
) -> Calibration:
    """The calibration for the pool, by scores and labels (n, k) of random items of it, which weigh
    `weights` (n,); labels that are MISSING are ignored.

    It is the most probable one under normal priors around what was calibrated before: a shift of
    the log-odds that all labels share, each label's own difference from it, and, in a multi-label
    scheme, its slope. So the first dozens of labels move all labels together, and the more answers
    a label has, the more it follows its own. As slopes are positive, no ranking is reversed.
    """
    from scipy.optimize import minimize  # slow to import, and only fitting needs it

    multi, k = calibration.multi, labels.shape[1]
    log_odds = calibration.log_odds(scores)
    asked = (labels >= 0) * weights[:, None]
    truth = (labels == 1).astype(np.float64)
    spread = np.array([SHARED_SPREAD, *[SPREAD] * k, *[SLOPE_SPREAD] * k])

    def loss(parameters: Array) -> tuple[float, Array]:
        slope, shift = np.exp(parameters[1 + k :]), parameters[0] + parameters[1 : 1 + k]
        z = slope * log_odds + shift
        proba = sigmoid(z) if multi else softmax(z)
        cost = np.logaddexp(0, z) - truth * z if multi else -truth * np.log(np.maximum(proba, TINY))
        error = (proba - truth) * asked
        by_label, by_slope = error.sum(axis=0), (error * log_odds).sum(axis=0) * slope
        return (
            float((cost * asked).sum() + ((parameters / spread) ** 2).sum() / 2),
            np.array([by_label.sum(), *by_label, *(by_slope * multi)]) + parameters / spread**2,
        )

    bounds = [(None, None)] * (1 + k) + [(None, None) if multi else (0, 0)] * k
    fitted = minimize(loss, np.zeros(len(spread)), jac=True, method="L-BFGS-B", bounds=bounds).x
    slope, shift = np.exp(fitted[1 + k :]), fitted[0] + fitted[1 : 1 + k]
    return Calibration(calibration.slope * slope, calibration.offset * slope + shift, multi)
