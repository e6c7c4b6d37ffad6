"""What a network shall learn: labels, how much each of them weighs, and whether it did."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from biasloop.domain.label import Labels
from biasloop.plugins.classifiers.head.calibration import CERTAIN

Array = NDArray[np.float64]

HEAVIEST = 10.0
"""How much a rare answer weighs at most. Calibration makes up for the rest; without a bound
single rows would make steps that undo all others."""
LEARNED = 0.05
"""How far above chance the mean recall on the training rows must be."""
NEVER = -1e9
"""Score of a class that a row was not asked about."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Of n rows. `weights` is (n, k), or (n, 1) in a single-label scheme, and sums to n.

    `constant` (k,) is CERTAIN or -CERTAIN for labels that have one answer only, or none; nan
    where there is something to learn.
    """

    labels: Labels
    weights: NDArray[np.float32]
    constant: Array
    multi: bool

    @classmethod
    def of(cls, labels: Labels, weights: NDArray[np.float32], multi: bool) -> Self:
        """Yes and no of each label weigh the same in all, or each class does; `weights` (n,)."""
        each = weights.astype(np.float64)
        if not multi:  # a row without a class teaches nothing
            each = each * (labels == 1).any(axis=1)
        asked = each[:, None] * (labels >= 0)
        yes, no = (asked * (labels == 1)).sum(axis=0), (asked * (labels == 0)).sum(axis=0)
        constant = np.where(yes == 0, -CERTAIN, np.where(no == 0, CERTAIN, np.nan))
        if multi:
            total = np.where(np.isnan(constant), yes + no, 0)
            share = _over(total, 2 * np.where(labels == 1, yes, no))
            found = asked * np.minimum(share, HEAVIEST)
        else:
            share = (labels == 1) @ _over(yes.sum(), np.count_nonzero(yes) * yes)
            found = (each * np.minimum(share, HEAVIEST))[:, None]
            found = found * np.isnan(constant).any()
        mean = found.sum() / len(found) or 1.0
        return cls(labels, (found / mean).astype(np.float32), constant, multi)

    @property
    def rows(self) -> NDArray[np.int64]:
        """The rows that teach something."""
        return np.flatnonzero((self.weights > 0).any(axis=1))

    def loss(self, scores: torch.Tensor, rows: NDArray[np.int64]) -> torch.Tensor:
        """Of the scores (b, k) of these b rows; over all n rows it sums to n times its mean."""
        labels = torch.tensor(self.labels[rows], device=scores.device)
        weights = torch.tensor(self.weights[rows], device=scores.device)
        truth = (labels == 1).float()
        if self.multi:
            losses = functional.binary_cross_entropy_with_logits(scores, truth, reduction="none")
        else:
            possible = scores.masked_fill(labels < 0, NEVER).log_softmax(dim=1)
            losses = -(truth * possible).sum(dim=1, keepdim=True)
        return (weights * losses).sum()

    def not_learned(self, scores: Array) -> list[int]:
        """Labels whose answers the scores (n, k) of these very rows do not tell apart, be it that
        all are negative, all positive or random; every class if it is so of the classes."""
        learnable = np.flatnonzero(np.isnan(self.constant))
        if not self.multi:
            classes = self.labels.argmax(axis=1)
            said = np.where(np.isnan(scores), -np.inf, scores).argmax(axis=1)
            taught = self.weights[:, 0] > 0
            recalls = [(said[taught & (classes == j)] == j).mean() for j in learnable]
            stuck = len(learnable) and np.mean(recalls) <= 1 / len(learnable) + LEARNED
            return learnable.tolist() if stuck else []
        found = []
        for j in learnable:
            taught = self.weights[:, j] > 0
            yes, no = (taught & (self.labels[:, j] == answer) for answer in (1, 0))
            recall = ((scores[yes, j] > 0).mean() + (scores[no, j] <= 0).mean()) / 2
            if recall <= 0.5 + LEARNED:
                found.append(int(j))
        return found


def settle(scores: NDArray[np.floating], constant: Array) -> Array:
    """Scores (m, k) with those of labels that have one answer put in; see `Targets.constant`."""
    return np.where(np.isnan(constant), scores.astype(np.float64), constant)


def _over(numerator: Array, denominator: Array) -> Array:
    """The quotient, 0 where the denominator is."""
    return np.divide(numerator, denominator, out=np.zeros_like(denominator), where=denominator > 0)
