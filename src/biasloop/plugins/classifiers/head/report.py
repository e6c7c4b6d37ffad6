"""What all classifiers share in training: the check of the labels, and calibration out of fold.

Calibration and thresholds are fitted to out-of-fold scores, by root, of rows that people labelled
or wrote (sources human and seed), with their weights. Constructed and LLM-labelled rows train a
model but do not influence calibration and thresholds.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.label import BY_PEOPLE, EVIDENCE, MISSING
from biasloop.domain.learning import FitReport, TrainingSet
from biasloop.errors import ClassifierError
from biasloop.plugins.classifiers.head.calibration import (
    CERTAIN,
    Calibrated,
    Calibration,
    OutOfFold,
)
from biasloop.plugins.classifiers.head.pool import (
    MIN_RANDOM_ROOTS,
    fit_classes_to_pool,
    fit_labels_to_pool,
    move_thresholds,
)
from biasloop.plugins.classifiers.head.thresholds import pool_thresholds
from biasloop.plugins.classifiers.options import check_precision


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
    label. Raises ClassifierError if it names anything but a label, or in a single-label scheme.
    """
    by_people = np.isin(data.sources, EVIDENCE)
    weights = data.weights.astype(np.float64) * by_people
    out_of_fold = OutOfFold(scores, data.labels, weights, data.roots, data.label_names)
    least = _least_precision(data, precision)
    on_rows = result = out_of_fold.calibrate(data.multi, least)
    if pool_scores is not None and len(pool_scores):
        result = _for_pool(on_rows, out_of_fold, data, pool_scores, least)
    present = (data.labels == 1).any(axis=0)
    missing = [
        f"{name}: no row has it; its probability is 0"
        for name, has_rows in zip(data.label_names, present, strict=True)
        if not has_rows
    ]
    proba, notes = result.calibration.proba(scores), (*missing, *result.notes)
    for_pool = result is not on_rows
    return result.calibration, FitReport(proba, result.thresholds, notes, scores, for_pool)


def _for_pool(
    result: Calibrated,
    out_of_fold: OutOfFold,
    data: TrainingSet,
    pool_scores: NDArray[np.float64],
    least: NDArray[np.float64],
) -> Calibrated:
    """The result fitted to the pool; unchanged if random labels are too few."""
    scores, weights = out_of_fold.scores, out_of_fold.weights
    calibration, sound = result.calibration, result.sound
    random = _random_rows(data, weights)
    if not sound.any() or not random.any():
        return result
    # Scores of labels without a model are no evidence, and neither are those that rank by chance.
    labels = np.where(sound & (np.abs(scores) < CERTAIN), data.labels, MISSING)
    if data.multi:
        fitted = fit_labels_to_pool(calibration, scores[random], labels[random], weights[random])
    else:
        acquired = _by_people(data, weights) & ~random
        fitted = fit_classes_to_pool(calibration, scores, labels, weights, random, acquired)
    thresholds = pool_thresholds(fitted.proba(pool_scores), data.multi, least)
    if not data.multi:
        # By probabilities for classes as frequent as in the pool, strategies would find fewer items
        # of the rare ones. So probabilities stay those of equally frequent classes, and what was
        # fitted goes into the thresholds.
        thresholds, fitted = move_thresholds(thresholds, fitted, calibration), calibration
    thresholds = np.where(sound, thresholds, result.thresholds)
    return replace(result, calibration=fitted, thresholds=thresholds.astype(np.float32))


def _random_rows(data: TrainingSet, weights: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which rows are random items of the pool that people labelled, (n,); none if too few are, or
    in a single-label scheme if people labelled too few items."""
    if data.random is None:
        return np.zeros(len(weights), np.bool_)
    random = data.random & (weights > 0)
    enough = len(np.unique(data.roots[random])) >= MIN_RANDOM_ROOTS
    if not data.multi:
        roots = np.unique(data.roots[random | _by_people(data, weights)])
        enough = enough and len(roots) >= MIN_RANDOM_ROOTS * len(data.label_names)
    return random & enough


def _by_people(data: TrainingSet, weights: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which rows are items of the pool that people labelled, (n,): not seeds, which were written or
    chosen for their class."""
    return np.isin(data.sources, BY_PEOPLE) & (weights > 0)


def _least_precision(data: TrainingSet, precision: Mapping[str, float]) -> NDArray[np.float64]:
    check_precision(precision, data.label_names, data.multi)
    return np.array([precision.get(name, 0.0) for name in data.label_names])
