"""The mean of two models' log-odds: models that err differently are better together than alone.

Each model's scores are calibrated first, so that both are log-odds and a model that knows little
has little to say. The mean of log-odds is the logarithmic opinion pool of Genest & Zidek 1986,
"Combining probability distributions: a critique and an annotated bibliography".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.learning import FitReport
from biasloop.plugins.classifiers.head.calibration import CERTAIN, Calibration
from biasloop.plugins.classifiers.head.thresholds import NOTHING

Array = NDArray[np.float64]
Known = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class MeanScores:
    """The calibrations of p models for k labels, each times the share of its model in the mean:
    `slopes` (p, k), and `offset` (k,), the sum over the models."""

    slopes: Array
    offset: Array

    @classmethod
    def from_calibrations(cls, calibrations: Sequence[Calibration], informed: Known) -> Self:
        """For each label the mean of the models that are `informed` (p, k) of it; of all of them
        where none is."""
        shares = np.where(informed.any(axis=0), informed, 1.0)
        shares = shares / shares.sum(axis=0)
        slopes = shares * np.stack([calibration.slope for calibration in calibrations])
        offsets = shares * np.stack([calibration.offset for calibration in calibrations])
        return cls(slopes, offsets.sum(axis=0))

    def scores(self, parts: Sequence[Array]) -> Array:
        """The mean (n, k) of each model's scores (n, k). What one of them is certain of, because it
        learned only one answer, stays certain."""
        mean: Array = (self.slopes[:, None] * np.stack(parts)).sum(axis=0) + self.offset
        for part in parts:
            mean = np.where(np.abs(part) >= CERTAIN, part, mean)
        return mean


def informed_labels(calibration: Calibration, report: FitReport) -> Known:
    """The labels (k,) of which a model was not found to rank texts by chance; see
    head.calibration."""
    return np.asarray((calibration.slope > 0) & (report.thresholds < NOTHING))


def notes_on_chance(informed: Mapping[str, Known], names: Sequence[str]) -> list[str]:
    """A note on each model, given by name, that leaves labels to the others."""
    some_model = np.any(list(informed.values()), axis=0)
    notes = []
    for model, knows in informed.items():
        left = [name for name, is_left in zip(names, some_model & ~knows, strict=True) if is_left]
        if left:
            notes.append(
                f"{', '.join(left)}: {model} ranks texts no better than by chance and is left out"
            )
    return notes
