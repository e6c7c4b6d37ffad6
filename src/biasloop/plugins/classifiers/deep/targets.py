"""What a network should learn: labels and their weights, and whether it has learned them."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from biasloop.domain.label import Labels
from biasloop.plugins.classifiers.head.calibration import CERTAIN

Array = NDArray[np.float64]

MAX_FACTOR = 10.0
"""The largest factor for a rare answer. Calibration corrects the rest; without a bound, the steps
for single rows would undo all others."""
MIN_GAIN = 0.05
"""How far the mean recall on the training rows must be above chance."""
MASKED = -1e9
"""Score given to a class that was not asked about in a row."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Targets of n rows. `weights` is (n, k), or (n, 1) in a single-label scheme, and sums to n.

    `constant` (k,) is CERTAIN for labels with only positive answers, -CERTAIN for labels with
    only negative answers or none, and nan where there is something to learn.
    """

    labels: Labels
    weights: NDArray[np.float32]
    constant: Array
    multi: bool

    @classmethod
    def from_labels(cls, labels: Labels, weights: NDArray[np.float32], multi: bool) -> Self:
        """Balances `weights` (n,): positives and negatives of a label weigh the same in total; in a
        single-label scheme, all classes do."""
        row_weights = weights.astype(np.float64)
        if not multi:  # a row without a class teaches nothing
            row_weights = row_weights * (labels == 1).any(axis=1)
        answered = row_weights[:, None] * (labels >= 0)
        yes, no = (answered * (labels == 1)).sum(axis=0), (answered * (labels == 0)).sum(axis=0)
        constant = np.where(yes == 0, -CERTAIN, np.where(no == 0, CERTAIN, np.nan))
        if multi:
            total = np.where(np.isnan(constant), yes + no, 0)
            factor = _divide(total, 2 * np.where(labels == 1, yes, no))
            balanced = answered * np.minimum(factor, MAX_FACTOR)
        else:
            factor = (labels == 1) @ _divide(yes.sum(), np.count_nonzero(yes) * yes)
            balanced = (row_weights * np.minimum(factor, MAX_FACTOR))[:, None]
            balanced = balanced * np.isnan(constant).any()
        mean = balanced.sum() / len(balanced) or 1.0
        return cls(labels, (balanced / mean).astype(np.float32), constant, multi)

    @property
    def rows(self) -> NDArray[np.int64]:
        """The numbers of the rows with a positive weight."""
        return np.flatnonzero((self.weights > 0).any(axis=1))

    def loss(self, scores: torch.Tensor, rows: NDArray[np.int64]) -> torch.Tensor:
        """The summed loss of the scores (b, k) of these b rows. As the weights sum to n, the loss
        of all n rows is n times their weighted mean loss."""
        labels = torch.tensor(self.labels[rows], device=scores.device)
        weights = torch.tensor(self.weights[rows], device=scores.device)
        truth = (labels == 1).float()
        if self.multi:
            losses = functional.binary_cross_entropy_with_logits(scores, truth, reduction="none")
        else:
            log_proba = scores.masked_fill(labels < 0, MASKED).log_softmax(dim=1)
            losses = -(truth * log_proba).sum(dim=1, keepdim=True)
        return (weights * losses).sum()

    def unlearned(self, scores: Array) -> list[int]:
        """Numbers of the labels whose positives and negatives are not told apart by the scores
        (n, k) of these same rows. In a single-label scheme either no class or all of them."""
        learnable = np.flatnonzero(np.isnan(self.constant))
        if not self.multi:
            classes = self.labels.argmax(axis=1)
            predicted = np.where(np.isnan(scores), -np.inf, scores).argmax(axis=1)
            weighted = self.weights[:, 0] > 0
            recalls = [(predicted[weighted & (classes == j)] == j).mean() for j in learnable]
            collapsed = len(learnable) and np.mean(recalls) <= 1 / len(learnable) + MIN_GAIN
            return learnable.tolist() if collapsed else []
        unlearned = []
        for j in learnable:
            weighted = self.weights[:, j] > 0
            yes, no = (weighted & (self.labels[:, j] == answer) for answer in (1, 0))
            recall = ((scores[yes, j] > 0).mean() + (scores[no, j] <= 0).mean()) / 2
            if recall <= 0.5 + MIN_GAIN:
                unlearned.append(int(j))
        return unlearned


def fill_in_constants(scores: NDArray[np.floating], constant: Array) -> Array:
    """Scores (m, k), replaced for labels that have only one answer; see `Targets.constant`."""
    return np.where(np.isnan(constant), scores.astype(np.float64), constant)


def _divide(numerator: Array, denominator: Array) -> Array:
    """The quotient, 0 where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.zeros_like(denominator), where=denominator > 0)
