"""From scores to probabilities, and from probabilities to thresholds."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_softmax

Array = NDArray[np.float64]

FLATTEST = 0.05
"""Least slope: calibration never turns a ranking round, even one no better than chance."""


def fit_sigmoid(scores: Array, truth: NDArray[np.bool_], weights: Array) -> tuple[float, float]:
    """Slope and offset of P(yes) = sigmoid(slope * score + offset), by weighted likelihood.

    Targets are drawn in from 0 and 1 as Platt (1999) does, so that few rows give no certainty.
    """
    yes, no = weights[truth].sum(), weights[~truth].sum()
    target = np.where(truth, (yes + 1) / (yes + 2), 1 / (no + 2))

    def loss(parameters: Array) -> tuple[float, Array]:
        slope, offset = parameters
        z = slope * scores + offset
        error = weights * (expit(z) - target)
        return (
            float(weights @ (np.logaddexp(0, z) - target * z)),
            np.array([error @ scores, error.sum()]),
        )

    start = np.array([1.0, np.log((yes + 1) / (no + 1))])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(FLATTEST, None), (None,) * 2])
    return float(found.x[0]), float(found.x[1])


def fit_temperature(scores: Array, truth: NDArray[np.int64], weights: Array) -> float:
    """Slope of P = softmax(slope * scores) for class numbers `truth` (Guo et al. 2017)."""
    rows = np.arange(len(truth))

    def loss(log_slope: float) -> float:
        return -float(weights @ log_softmax(np.exp(log_slope) * scores, axis=1)[rows, truth])

    found = minimize_scalar(loss, bounds=(np.log(FLATTEST), np.log(20)), method="bounded")
    return float(np.exp(found.x))


def f1_threshold(probabilities: Array, weights: Array) -> float:
    """The probability from which to say yes for the best expected F1, in (0, 0.5].

    For calibrated probabilities it is half of the F1 that it attains (Lipton et al. 2014). The
    expectation runs over all rows, so it does not jump to fit single positives the way the
    threshold of the best observed F1 does.
    """
    order = np.argsort(-probabilities, kind="stable")
    p, w = probabilities[order], weights[order]
    expected = 2 * np.cumsum(w * p) / (np.cumsum(w) + (w * p).sum())
    return float(expected.max() / 2)
