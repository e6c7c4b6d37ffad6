"""The trained part of a classifier: a linear model on feature rows.

Calibration and thresholds are fitted out of fold, see classifiers.head.report.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.label import Labels
from biasloop.domain.learning import FitReport, Proba, TrainingSet
from biasloop.plugins.classifiers.head.calibration import Calibration
from biasloop.plugins.classifiers.head.checks import require_sound_head, require_sound_model
from biasloop.plugins.classifiers.head.folds import group_folds
from biasloop.plugins.classifiers.head.linear import Linear, fit_linear
from biasloop.plugins.classifiers.head.report import calibrated
from biasloop.plugins.classifiers.head.weightings import weighting_from, weighting_of
from biasloop.plugins.classifiers.terms.weighting import Weighting
from biasloop.ports import Checkpoint


@dataclass(frozen=True, slots=True)
class Model:
    """A linear model and the weighting of its feature rows."""

    weighting: Weighting
    linear: Linear

    @classmethod
    def fit(
        cls, features: Any, labels: Labels, weights: NDArray[np.float64], strength: float
    ) -> Self:
        """Fits each label to the rows that have an answer for it."""
        weighting = weighting_of(features).fit(features)
        return cls(weighting, fit_linear(weighting.matrix(features), labels, weights, strength))

    def scores(self, features: Any) -> NDArray[np.float64]:
        """Log-odds (n, k) of each label, as if its presence and absence were equally frequent."""
        scores = self.weighting.scores(features, self.linear.coef)
        return scores.astype(np.float64) + self.linear.intercept

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays to save."""
        return {
            **self.weighting.arrays(),
            "coef": self.linear.coef,
            "intercept": self.linear.intercept,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The model whose `arrays` these are."""
        fields = dict(arrays)
        linear = Linear(fields.pop("coef"), fields.pop("intercept"))
        return cls(weighting_from(fields), linear)


@dataclass(frozen=True, slots=True)
class Head:
    """A fitted head; `committee` holds the models of the folds if they are needed."""

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
        """What `state.write_state` saves, without pickle."""
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
        """The head whose `state` this is. Raises ValueError when it is not sound."""
        require_sound_head(state)
        for arrays in (state["model"], *state["committee"]):
            require_sound_model(arrays, len(state["names"]))
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
    precision: Mapping[str, float] = MappingProxyType({}),
) -> tuple[Head, FitReport]:
    """Trains on all rows of `data.features` with a positive weight; the report's `oof`, of all
    rows, comes from models that did not see the row's root. The seed decides the folds. For
    `precision` see classifiers.head.report."""
    assert data.features is not None
    features, weights = data.features, data.weights.astype(np.float64)
    fold_of, weighted = group_folds(data.labels, data.roots, folds, seed), weights > 0
    scores = np.zeros(data.labels.shape)
    members = []
    for fold in range(fold_of.max() + 1):
        held_out = fold_of == fold
        if held_out.all():
            break  # only one root: no model can be tested on it, so the scores stay 0
        rows = ~held_out & weighted
        model = Model.fit(features[rows], data.labels[rows], weights[rows], strength)
        scores[held_out] = model.scores(features[held_out])
        members.append(model)
        checkpoint()
    model = Model.fit(features[weighted], data.labels[weighted], weights[weighted], strength)
    pool_scores = model.scores(data.pool.features) if data.pool else None
    calibration, report = calibrated(data, scores, pool_scores, precision)
    models = tuple(members) if committee else ()
    return Head(data.label_names, model, calibration, report.thresholds, models), report
