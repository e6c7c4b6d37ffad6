"""Trained models, their audit reports, and which model is in service."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A trained model.

    `seq` is the sequence number of the ledger when its data was read; `folder` is relative to the
    workspace. `card` holds the number of labels by source, the policies that votes were given
    under, settings, versions, and out-of-fold figures. `trained_on` are the ids of its training
    items.
    """

    id: str
    classifier: str
    seq: int
    folder: str
    card: Mapping[str, Any]
    trained_on: tuple[str, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the labels that it learned, in the order of its outputs."""
        return tuple(self.card.get("labels") or self.card.get("thresholds", ()))


@dataclass(frozen=True, slots=True)
class Promotion:
    """Puts a model into service from now on."""

    model_id: str
    why: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The audit report of a model; `baseline_id` is the model that was in service at that time."""

    model_id: str
    baseline_id: str | None
    report: Mapping[str, Any]
