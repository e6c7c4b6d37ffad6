"""From scores to probabilities, fitted to out-of-fold scores of the training rows."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.label import Labels
from biasloop.domain.learning import Proba
from biasloop.plugins.classifiers.head.thresholds import NOTHING, best_threshold

Array = NDArray[np.float64]

CERTAIN = 200.0
"""Score of a label that always applies; negated, of one that never does. As a float32 its
probability is exactly 1 or 0."""
MIN_ROOTS = 5
"""A label is calibrated only with this many roots with positives and as many with negatives."""
DEFAULT_THRESHOLD = 0.5
CHANCE = 2.58
"""How many standard errors the ranking of a label must be above chance (99 %, two-sided): a model
has many labels, and each of them is tested again with every training."""
USEFUL_AREA = 0.8
"""The area under the ROC curve of a ranking that is of use: classes count as not told by the text
only where such a ranking would have shown."""
MIN_SLOPE, MAX_SLOPE = 0.05, 20.0
"""Bounds of the slope; as it is not negative, calibration never reverses a ranking."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Maps scores (n, k) to probabilities; `slope` and `offset` have shape (k,)."""

    slope: Array
    offset: Array
    multi: bool

    def proba(self, scores: Array) -> Proba:
        """Probabilities (n, k); in a single-label scheme rows sum to 1."""
        z = self.log_odds(scores)
        proba: Proba = (sigmoid(z) if self.multi else softmax(z)).astype(np.float32)
        return proba

    def log_odds(self, scores: Array) -> Array:
        """What the probabilities are computed from, (n, k)."""
        return self.slope * scores + self.offset


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A calibration with its thresholds (k,), and notes for the user. `sound` (k,) marks the labels
    that could be calibrated and are ranked better than by chance."""

    calibration: Calibration
    thresholds: NDArray[np.float32]
    sound: NDArray[np.bool_]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """Scores (n, k) by models that did not see the row's root, with the true labels (n, k).

    `weights` (n,) are 0 for rows that must not influence calibration. A score of CERTAIN means
    that the training rows of the fold had only one answer; it is ignored.
    """

    scores: Array
    labels: Labels
    weights: Array
    roots: NDArray[np.str_]
    names: tuple[str, ...]

    def calibrate(self, multi: bool, precision: Array) -> Calibrated:
        """What suits the kind of scheme; `precision` (k,) counts in a multi-label one only."""
        return self.calibrate_labels(precision) if multi else self.calibrate_classes()

    def calibrate_labels(self, precision: Array) -> Calibrated:
        """One sigmoid and one threshold per label, which keeps the expected `precision` (k,), and
        notes on labels with too few roots."""
        k = len(self.names)
        slope, offset = np.ones(k), np.zeros(k)
        thresholds, sound = np.full(k, DEFAULT_THRESHOLD, np.float32), np.zeros(k, np.bool_)
        notes = []
        for j, name in enumerate(self.names):
            scores = self.scores[:, j]
            rows = (self.labels[:, j] >= 0) & (self.weights > 0) & (np.abs(scores) < CERTAIN)
            truth, scores, weights = self.labels[rows, j] == 1, scores[rows], self.weights[rows]
            roots = self.roots[rows]
            yes, no = _count_distinct(roots[truth]), _count_distinct(roots[~truth])
            if min(yes, no) < MIN_ROOTS:
                notes.append(
                    f"{name}: {yes} roots with it and {no} without among human and seed labels, "
                    f"{MIN_ROOTS} of each needed; not calibrated, threshold {DEFAULT_THRESHOLD}"
                )
                continue
            slope[j], offset[j] = fit_sigmoid(scores, truth, weights)
            if not ranks_better_than_chance(scores, truth, weights, yes, no):
                thresholds[j] = NOTHING
                notes.append(
                    f"{name}: texts with it are ranked no better than by chance, so nothing is "
                    "flagged; label more of them, or see whether the text tells it at all"
                )
                continue
            proba = sigmoid(slope[j] * scores + offset[j])
            thresholds[j], sound[j] = best_threshold(proba, weights, precision[j]), True
        return Calibrated(Calibration(slope, offset, multi=True), thresholds, sound, tuple(notes))

    def calibrate_classes(self) -> Calibrated:
        """One temperature for all classes; where the scores tell no class from another, every text
        has the frequencies of the classes. Thresholds are 0: the most probable class is chosen."""
        k, notes = len(self.names), []
        slope, offset = np.ones(k), np.zeros(k)
        classes = self.labels.argmax(axis=1)
        uncertain = np.abs(self.scores[np.arange(len(classes)), classes]) < CERTAIN
        rows = (self.labels == 1).any(axis=1) & (self.weights > 0) & uncertain
        truth, weights = classes[rows], self.weights[rows]
        roots, sound = _count_distinct(self.roots[rows]), False
        if roots < 2 * MIN_ROOTS:
            notes.append(
                f"{roots} roots among human and seed labels, {2 * MIN_ROOTS} needed; not calibrated"
            )
        elif self._tells_classes(rows, truth):
            present = (self.labels == 1).any(axis=0)
            slope[present] = fit_temperature(self.scores[rows], truth, weights)
            sound = True
        else:
            share = np.bincount(truth, weights, k) / weights.sum()
            slope[:] = 0
            offset = np.log(np.maximum(share, np.exp(-CERTAIN)))
            notes.append(
                "texts of all classes are ranked no better than by chance, so every text gets the "
                f"most frequent class, {self.names[share.argmax()]}; label more of them, or see "
                "whether the text tells the classes at all"
            )
        calibration = Calibration(slope, offset, multi=False)
        return Calibrated(calibration, np.zeros(k, np.float32), np.full(k, sound), tuple(notes))

    def _tells_classes(self, rows: NDArray[np.bool_], truth: NDArray[np.intp]) -> bool:
        """Whether the scores tell any class from another, or roots are too few to see that."""
        scores, weights, roots = self.scores[rows], self.weights[rows], self.roots[rows]
        visible = False
        for one, other in combinations(range(len(self.names)), 2):
            pair = (truth == one) | (truth == other)
            is_one = truth[pair] == one
            yes, no = (_count_distinct(roots[pair][side]) for side in (is_one, ~is_one))
            if not shows_useful_ranking(yes, no):
                continue
            visible = True
            margin = (scores[:, one] - scores[:, other])[pair]
            if ranks_better_than_chance(margin, is_one, weights[pair], yes, no):
                return True
        return not visible


def sigmoid(z: Array) -> Array:
    """1 / (1 + exp(-z)). Not scipy's: importing it takes half of the time that loading a model
    takes."""
    with np.errstate(over="ignore"):  # 1 / inf is 0, as it should be
        return 1 / (1 + np.exp(-z))


def softmax(z: Array) -> Array:
    """exp(z), scaled so that each row sums to 1."""
    exponentials = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def _count_distinct(roots: NDArray[np.str_]) -> int:
    return len(np.unique(roots))


def shows_useful_ranking(yes: int, no: int) -> bool:
    """Whether a ranking that is of use would show with this many roots with and without a label."""
    return min(yes, no) >= MIN_ROOTS and CHANCE * _standard_error(yes, no) < USEFUL_AREA - 0.5


def _standard_error(yes: int, no: int) -> float:
    """That of the area under the ROC curve if the ranking is by chance."""
    return float(np.sqrt((yes + no + 1) / (12 * yes * no)))


def ranks_better_than_chance(
    scores: Array, truth: NDArray[np.bool_], weights: Array, yes: int, no: int
) -> bool:
    """Whether rows with the label rank surely higher than rows without.

    The test of Mann & Whitney 1947, "On a test of whether one of two random variables is
    stochastically larger than the other": the area under the ROC curve against 1/2. `yes` and `no`
    are the numbers of roots with and without the label, which are independent; rows are not.
    """
    values, rank = np.unique(scores, return_inverse=True)
    w_yes, w_no = (
        np.bincount(rank, np.where(rows, weights, 0), len(values)) for rows in (truth, ~truth)
    )
    below = np.cumsum(w_no) - w_no / 2  # a tie counts half
    area = (w_yes @ below) / (w_yes.sum() * w_no.sum())
    return bool(area - 0.5 > CHANCE * _standard_error(yes, no))


def fit_sigmoid(scores: Array, truth: NDArray[np.bool_], weights: Array) -> tuple[float, float]:
    """Slope and offset of P(yes) = sigmoid(slope * score + offset), by weighted maximum likelihood.

    Targets are moved away from 0 and 1 as in Platt (1999), so that a few rows do not lead to
    certainty.
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

    bounds = [(MIN_SLOPE, MAX_SLOPE), (None, None)]
    start = np.array([1.0, np.log((yes + 1) / (no + 1))])
    result = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return float(result.x[0]), float(result.x[1])


def fit_temperature(scores: Array, truth: NDArray[np.int64], weights: Array) -> float:
    """Slope of P = softmax(slope * scores) for class numbers `truth` (Guo et al. 2017)."""
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    rows = np.arange(len(truth))

    def loss(log_slope: float) -> float:
        return -float(weights @ log_softmax(np.exp(log_slope) * scores, axis=1)[rows, truth])

    result = minimize_scalar(loss, bounds=(np.log(MIN_SLOPE), np.log(MAX_SLOPE)), method="bounded")
    return float(np.exp(result.x))
