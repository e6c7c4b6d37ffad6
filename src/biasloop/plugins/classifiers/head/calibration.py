"""From scores to probabilities, and from probabilities to thresholds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.label import Labels
from biasloop.domain.learning import Proba

Array = NDArray[np.float64]

CERTAIN = 200.0
"""Score of a label that is always (or, negative, never) there: exactly 1 or 0 as a float32."""
ENOUGH_ROOTS = 5
"""Roots with a yes, and roots with a no, below which a label is not calibrated."""
DEFAULT_THRESHOLD = 0.5
FLATTEST, STEEPEST = 0.05, 20.0
"""Slopes between which calibration stays: it never turns a ranking round."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How scores (n, k) become probabilities; `slope` and `offset` have shape (k,)."""

    slope: Array
    offset: Array
    multi: bool

    def proba(self, scores: Array) -> Proba:
        """Probabilities (n, k); in a single-label scheme rows sum to 1."""
        z = self.slope * scores + self.offset
        proba: Proba = (sigmoid(z) if self.multi else softmax(z)).astype(np.float32)
        return proba


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """Scores (n, k) by models that did not see the row's root, beside what is true of the rows.

    `weights` (n,) are 0 for rows that must not choose anything. A CERTAIN score says that the
    training rows of its fold had one answer only; it calibrates nothing.
    """

    scores: Array
    labels: Labels
    weights: Array
    roots: NDArray[np.str_]
    names: tuple[str, ...]

    def calibrate(self, multi: bool) -> tuple[Calibration, NDArray[np.float32], list[str]]:
        """What fits the scheme: the calibration, thresholds (k,), and notes in words."""
        return self.calibrate_labels() if multi else self.calibrate_classes()

    def calibrate_labels(self) -> tuple[Calibration, NDArray[np.float32], list[str]]:
        """One sigmoid and one threshold per label, and notes on labels that had too little."""
        k = len(self.names)
        slope, offset = np.ones(k), np.zeros(k)
        thresholds = np.full(k, DEFAULT_THRESHOLD, dtype=np.float32)
        notes = []
        for j, name in enumerate(self.names):
            scores = self.scores[:, j]
            rows = (self.labels[:, j] >= 0) & (self.weights > 0) & (np.abs(scores) < CERTAIN)
            truth, scores, weights = self.labels[rows, j] == 1, scores[rows], self.weights[rows]
            yes, no = _distinct(self.roots[rows][truth]), _distinct(self.roots[rows][~truth])
            if min(yes, no) < ENOUGH_ROOTS:
                notes.append(
                    f"{name}: {yes} roots with it and {no} without among human and seed labels, "
                    f"{ENOUGH_ROOTS} of each needed; not calibrated, threshold {DEFAULT_THRESHOLD}"
                )
                continue
            slope[j], offset[j] = fit_sigmoid(scores, truth, weights)
            thresholds[j] = f1_threshold(sigmoid(slope[j] * scores + offset[j]), weights)
        return Calibration(slope, offset, multi=True), thresholds, notes

    def calibrate_classes(self) -> tuple[Calibration, NDArray[np.float32], list[str]]:
        """One temperature for all classes. Thresholds are 0: the class is the most probable one."""
        classes = self.labels.argmax(axis=1)
        known = np.abs(self.scores[np.arange(len(classes)), classes]) < CERTAIN
        rows = (self.labels == 1).any(axis=1) & (self.weights > 0) & known
        slope, notes = 1.0, []
        if _distinct(self.roots[rows]) < 2 * ENOUGH_ROOTS:
            notes.append(
                f"{_distinct(self.roots[rows])} roots among human and seed labels, "
                f"{2 * ENOUGH_ROOTS} needed; not calibrated"
            )
        else:
            slope = fit_temperature(self.scores[rows], classes[rows], self.weights[rows])
        found = (self.labels == 1).any(axis=0)
        offset = np.zeros(len(self.names))
        calibration = Calibration(np.where(found, slope, 1.0), offset, multi=False)
        return calibration, offset.astype(np.float32), notes


def sigmoid(z: Array) -> Array:
    """1 / (1 + exp(-z)). Not scipy's, which takes half of the time in which a model loads."""
    with np.errstate(over="ignore"):  # of inf the quotient is 0, as it should be
        return 1 / (1 + np.exp(-z))


def softmax(z: Array) -> Array:
    """exp(z) along each row, which then sums to 1."""
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _distinct(roots: NDArray[np.str_]) -> int:
    return len(np.unique(roots))


def fit_sigmoid(scores: Array, truth: NDArray[np.bool_], weights: Array) -> tuple[float, float]:
    """Slope and offset of P(yes) = sigmoid(slope * score + offset), by weighted likelihood.

    Targets are drawn in from 0 and 1 as Platt (1999) does, so that few rows give no certainty.
    """
    from scipy.optimize import minimize  # slow to import, and only fitting needs it

    yes, no = weights[truth].sum(), weights[~truth].sum()
    target = np.where(truth, (yes + 1) / (yes + 2), 1 / (no + 2))

    def loss(parameters: Array) -> tuple[float, Array]:
        slope, offset = parameters
        z = slope * scores + offset
        error = weights * (sigmoid(z) - target)
        return (
            float(weights @ (np.logaddexp(0, z) - target * z)),
            np.array([error @ scores, error.sum()]),
        )

    bounds = [(FLATTEST, STEEPEST), (None, None)]
    start = np.array([1.0, np.log((yes + 1) / (no + 1))])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return float(found.x[0]), float(found.x[1])


def fit_temperature(scores: Array, truth: NDArray[np.int64], weights: Array) -> float:
    """Slope of P = softmax(slope * scores) for class numbers `truth` (Guo et al. 2017)."""
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    rows = np.arange(len(truth))

    def loss(log_slope: float) -> float:
        return -float(weights @ log_softmax(np.exp(log_slope) * scores, axis=1)[rows, truth])

    found = minimize_scalar(loss, bounds=(np.log(FLATTEST), np.log(STEEPEST)), method="bounded")
    return float(np.exp(found.x))


def f1_threshold(probabilities: Array, weights: Array) -> float:
    """The probability from which to say yes for the best expected F1, in (0, 0.5].

    For calibrated probabilities it is half of the F1 that it attains (Lipton et al. 2014). The
    expectation runs over all rows, so it does not jump to fit single positives the way the
    threshold of the best observed F1 does (better or equal on held-out rows, the more so the fewer
    the positives).
    """
    order = np.argsort(-probabilities, kind="stable")
    p, w = probabilities[order], weights[order]
    expected = 2 * np.cumsum(w * p) / (np.cumsum(w) + (w * p).sum())
    return float(expected.max() / 2)
