"""What every training has in common: what it cannot go without, and what is chosen out of fold.

Calibration and thresholds are fitted to out-of-fold scores, by root, of rows that people labelled
or wrote (sources human and seed) with their weights; constructed and LLM-labelled rows train a
model, but choose nothing.
"""

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.label import MISSING, LabelSource
from biasloop.domain.learning import FitReport, TrainingSet
from biasloop.errors import ClassifierError
from biasloop.plugins.classifiers.head.calibration import Calibration, OutOfFold


def require_labels(data: TrainingSet) -> None:
    """Raises ClassifierError without a labelled row."""
    if not ((data.labels != MISSING).any(axis=1) & (data.weights > 0)).any():
        raise ClassifierError(
            f"none of the {len(data.texts)} training rows has a label and a weight; "
            "import seeds or label some items first"
        )


def calibrated(data: TrainingSet, scores: NDArray[np.float64]) -> tuple[Calibration, FitReport]:
    """From the scores (n, k) of rows by models that did not see their roots.

    The two numbers that calibrate a label are fitted to all of them at once.
    """
    chooses = np.isin(data.sources, (LabelSource.HUMAN, LabelSource.SEED))
    weights = data.weights.astype(np.float64) * chooses
    held_out = OutOfFold(scores, data.labels, weights, data.roots, data.label_names)
    calibration, thresholds, notes = held_out.calibrate(data.multi)
    found = (data.labels == 1).any(axis=0)
    missing = [
        f"{name}: no row has it; its probability is 0"
        for name, positive in zip(data.label_names, found, strict=True)
        if not positive
    ]
    return calibration, FitReport(calibration.proba(scores), thresholds, (*missing, *notes))
