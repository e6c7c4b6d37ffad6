"""What all classifiers share in training: the check of the labels, and calibration out of fold.

Calibration and thresholds are fitted to out-of-fold scores, by root, of rows that people labelled
or wrote (sources human and seed), with their weights. Constructed and LLM-labelled rows train a
model but do not influence calibration and thresholds.
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
    """The calibration and the report, from scores (n, k) by models that did not see the row's root.

    The slope and offset of a label are fitted to the scores of all folds together.
    """
    by_people = np.isin(data.sources, (LabelSource.HUMAN, LabelSource.SEED))
    weights = data.weights.astype(np.float64) * by_people
    out_of_fold = OutOfFold(scores, data.labels, weights, data.roots, data.label_names)
    calibration, thresholds, notes = out_of_fold.calibrate(data.multi)
    present = (data.labels == 1).any(axis=0)
    missing = [
        f"{name}: no row has it; its probability is 0"
        for name, has_rows in zip(data.label_names, present, strict=True)
        if not has_rows
    ]
    return calibration, FitReport(calibration.proba(scores), thresholds, (*missing, *notes), scores)
