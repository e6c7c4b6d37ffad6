"""The linear model that is trained with a fine-tuned one, and decides with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.learning import FitReport, TrainingSet
from biasloop.plugins.classifiers.head.checks import require_sound_mean
from biasloop.plugins.classifiers.head.report import calibrated
from biasloop.plugins.classifiers.mixed.mean_scores import (
    MeanScores,
    informed_labels,
    notes_on_chance,
)
from biasloop.plugins.classifiers.tfidf import Tfidf
from biasloop.ports import Checkpoint

LINEAR = "linear"
"""Folder, within that of a slow model, of the linear one that learned from the same rows."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LinearPart:
    """A linear model, and the mean of a fine-tuned model's scores (first) and its own."""

    classifier: Tfidf
    mean: MeanScores

    @classmethod
    def join(
        cls, data: TrainingSet, scores: Array, classifier: Tfidf, report: FitReport
    ) -> tuple[Self, Array, list[str]]:
        """Joins a linear model and its report with the out-of-fold `scores` (n, k) of a fine-tuned
        one, which must be of the same folds. Returns the linear part, the mean of both models'
        scores (n, k), and notes for users."""
        assert report.scores is not None
        tuned_calibration, tuned_report = calibrated(data, scores)
        linear_calibration = classifier.head.calibration
        informed = {
            "the fine-tuned model": informed_labels(tuned_calibration, tuned_report),
            "the linear model": informed_labels(linear_calibration, report),
        }
        mean = MeanScores.from_calibrations(
            [tuned_calibration, linear_calibration], np.stack(list(informed.values()))
        )
        notes = notes_on_chance(informed, data.label_names)
        return cls(classifier, mean), mean.scores([scores, report.scores]), notes

    def scores(self, texts: Sequence[str], checkpoint: Checkpoint) -> Array:
        """The linear model's own scores (n, k)."""
        return self.classifier.raw_scores(texts, checkpoint)

    def save(self, folder: Path) -> dict[str, Any]:
        """Writes the linear model into a folder of its own; returns what to write as JSON."""
        (folder / LINEAR).mkdir()
        self.classifier.save(folder / LINEAR)
        return {"slopes": self.mean.slopes.tolist(), "offset": self.mean.offset.tolist()}

    @classmethod
    def load(cls, folder: Path, state: Mapping[str, Any], names: Sequence[str]) -> Self:
        """The part that was saved for these labels. Raises ClassifierError or ValueError when it is
        damaged."""
        mean = MeanScores(*(np.array(state[name], np.float64) for name in ("slopes", "offset")))
        require_sound_mean(mean.slopes, mean.offset, len(names))
        classifier = Tfidf.load(folder / LINEAR)
        if classifier.head.names != tuple(names):
            raise ValueError("the linear model has other labels")
        return cls(classifier, mean)
