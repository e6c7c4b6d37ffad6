"""The part of a classifier that is trained: a linear model on feature rows.

Calibrated and thresholded out of fold, see classifiers.report.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.label import Labels
from biasloop.domain.learning import FitReport, Proba, TrainingSet
from biasloop.plugins.classifiers.head.calibration import Calibration
from biasloop.plugins.classifiers.head.folds import group_folds
from biasloop.plugins.classifiers.head.linear import Linear, fit_linear
from biasloop.plugins.classifiers.head.report import calibrated
from biasloop.plugins.classifiers.terms.weighting import (
    Scaling,
    TermWeighting,
    Weighting,
    weighting_of,
)
from biasloop.ports import Checkpoint


@dataclass(frozen=True, slots=True)
class Model:
    """A linear model and the weighting of the rows that it was fitted to."""

    weighting: Weighting
    linear: Linear

    @classmethod
    def fit(
        cls, features: Any, labels: Labels, weights: NDArray[np.float64], strength: float
    ) -> Self:
        """Each label from the rows that it was asked of."""
        weighting = weighting_of(features).fit(features)
        return cls(weighting, fit_linear(weighting.matrix(features), labels, weights, strength))

    def scores(self, features: Any) -> NDArray[np.float64]:
        """Log-odds (n, k) between a label and its absence, were both equally frequent."""
        found = self.weighting.scores(features, self.linear.coef)
        return found.astype(np.float64) + self.linear.intercept

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What to save."""
        return {
            **self.weighting.arrays(),
            "coef": self.linear.coef,
            "intercept": self.linear.intercept,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """From `arrays`."""
        fields = dict(arrays)
        linear = Linear(fields.pop("coef"), fields.pop("intercept"))
        kind = TermWeighting if "idf" in fields else Scaling
        return cls(kind(**fields), linear)


@dataclass(frozen=True, slots=True)
class Head:
    """A fitted head; `committee` holds the models of the folds, where they are asked for."""

    names: tuple[str, ...]
    model: Model
    calibration: Calibration
    thresholds: NDArray[np.float32]
    committee: tuple[Model, ...] = ()

    def proba(self, features: Any) -> Proba:
        """Calibrated probabilities (n, k)."""
        return self.calibration.proba(self.model.scores(features))

    def passes(self, features: Any) -> NDArray[np.float32]:
        """The probabilities of each member of the committee, (n, p, k)."""
        members = [self.calibration.proba(model.scores(features)) for model in self.committee]
        return np.stack(members, axis=1)

    def state(self) -> dict[str, Any]:
        """What to save, without pickle."""
        return {
            "names": list(self.names),
            "multi": self.calibration.multi,
            "model": self.model.arrays(),
            "committee": [model.arrays() for model in self.committee],
            "slope": self.calibration.slope,
            "offset": self.calibration.offset,
            "thresholds": self.thresholds,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """From `state`."""
        return cls(
            tuple(state["names"]),
            Model.from_arrays(state["model"]),
            Calibration(state["slope"], state["offset"], state["multi"]),
            state["thresholds"],
            tuple(Model.from_arrays(arrays) for arrays in state["committee"]),
        )


def fit_head(
    data: TrainingSet,
    *,
    strength: float,
    folds: int,
    committee: bool,
    seed: int,
    checkpoint: Checkpoint,
) -> tuple[Head, FitReport]:
    """Trains on all rows of `data.features` that weigh something; the report's `oof`, of all rows,
    comes from models that did not see the root. The seed decides the folds."""
    assert data.features is not None
    features, weights = data.features, data.weights.astype(np.float64)
    fold_of, teaches = group_folds(data.labels, data.roots, folds, seed), weights > 0
    scores = np.zeros(data.labels.shape)
    members = []
    for fold in range(fold_of.max() + 1):
        outside = fold_of == fold
        if outside.all():
            break  # one root: no model can be tried on it, scores stay undecided
        inside = ~outside & teaches
        model = Model.fit(features[inside], data.labels[inside], weights[inside], strength)
        scores[outside] = model.scores(features[outside])
        members.append(model)
        checkpoint()
    calibration, report = calibrated(data, scores)
    model = Model.fit(features[teaches], data.labels[teaches], weights[teaches], strength)
    kept = tuple(members) if committee else ()
    return Head(data.label_names, model, calibration, report.thresholds, kept), report
