"""What all classifiers share in training: the check of the labels, and calibration out of fold.

Calibration and thresholds are fitted to out-of-fold scores, by root, of rows that people labelled
or wrote (sources human and seed), with their weights. Constructed and LLM-labelled rows train a
model but do not influence calibration and thresholds.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.label import MISSING, LabelSource
from biasloop.domain.learning import FitReport, TrainingSet
from biasloop.errors import ClassifierError
from biasloop.plugins.classifiers.head.calibration import CERTAIN, Calibration, OutOfFold
from biasloop.plugins.classifiers.head.pool import MIN_RANDOM_ROOTS, fit_to_pool
from biasloop.plugins.classifiers.head.thresholds import pool_thresholds


def require_labels(data: TrainingSet) -> None:
    """Raises ClassifierError without a labelled row."""
    if not ((data.labels != MISSING).any(axis=1) & (data.weights > 0)).any():
        raise ClassifierError(
            f"none of the {len(data.texts)} training rows has a label and a weight; "
            "import seeds or label some items first"
        )


def calibrated(
    data: TrainingSet,
    scores: NDArray[np.float64],
    pool_scores: NDArray[np.float64] | None = None,
    precision: Mapping[str, float] = MappingProxyType({}),
) -> tuple[Calibration, FitReport]:
    """The calibration and the report, from scores (n, k) by models that did not see the row's root.

    The slope and offset of a label are fitted to the scores of all folds together. With enough
    labels of random items of the pool, and `pool_scores` (m, k) by the final model of the texts of
    `data.pool`, thresholds are for the pool, and so are probabilities in a multi-label scheme; else
    they are for the rows that were learned from. `precision` is the least expected precision, by
    label. Raises ClassifierError if a name in it is not that of a label that has a threshold of its
    own.
    """
    by_people = np.isin(data.sources, (LabelSource.HUMAN, LabelSource.SEED))
    weights = data.weights.astype(np.float64) * by_people
    out_of_fold = OutOfFold(scores, data.labels, weights, data.roots, data.label_names)
    floors = _floors(data, precision)
    fit = out_of_fold.calibrate(floors)
    calibration, thresholds, sound = fit.calibration, fit.thresholds, fit.sound
    random = _random_rows(data, weights)
    if pool_scores is not None and sound.any() and random.any():
        # Scores of labels without a model are no evidence, and neither are those that rank by
        # chance.
        labels = np.where(sound & (np.abs(scores) < CERTAIN), data.labels, MISSING)[random]
        fitted = fit_to_pool(calibration, scores[random], labels, weights[random])
        for_pool = pool_thresholds(fitted.proba(pool_scores), floors)
        if data.multi:
            calibration = fitted
        else:
            # Strategies go by the border between equally frequent classes: where classes are as
            # frequent as in the pool, they find less of the rare ones. So probabilities stay, and
            # thresholds take in the shift.
            for_pool *= np.exp(calibration.offset - fitted.offset)
            for_pool /= for_pool.sum()
        thresholds = np.where(sound, for_pool, thresholds).astype(np.float32)
    present = (data.labels == 1).any(axis=0)
    missing = [
        f"{name}: no row has it; its probability is 0"
        for name, has_rows in zip(data.label_names, present, strict=True)
        if not has_rows
    ]
    notes = (*missing, *fit.notes)
    return calibration, FitReport(calibration.proba(scores), thresholds, notes, scores)


def _random_rows(data: TrainingSet, weights: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which rows are random items of the pool that people labelled, (n,); none if they are few."""
    if data.random is None:
        return np.zeros(len(weights), np.bool_)
    random = data.random & (weights > 0)
    needed = MIN_RANDOM_ROOTS * (1 if data.multi else len(data.label_names))
    return random & (len(np.unique(data.roots[random])) >= needed)


def _floors(data: TrainingSet, precision: Mapping[str, float]) -> NDArray[np.float64] | None:
    if not data.multi and precision:
        raise ClassifierError(
            "classifier.options.precision is for schemes in which a text may have several labels; "
            "remove it"
        )
    if unknown := sorted(set(precision) - set(data.label_names)):
        raise ClassifierError(
            f"classifier.options.precision names {unknown[0]!r}; the labels are "
            + ", ".join(data.label_names)
        )
    return np.array([precision.get(n, 0.0) for n in data.label_names]) if data.multi else None
