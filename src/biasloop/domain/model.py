"""Trained models, their reports, and which one is in service."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A finished model.

    `seq` is the ledger sequence number its data was read at, `folder` is relative to the
    workspace, `card` holds counts by label source, the guideline versions that people's votes were
    given under, settings, versions and out-of-fold figures, `trained_on` the ids of the items it
    learned from.
    """

    id: str
    classifier: str
    seq: int
    folder: str
    card: Mapping[str, Any]
    trained_on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Promotion:
    """From now on this model is in service."""

    model_id: str
    why: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The audit report of a model; `baseline_id` is the model that was in service then."""

    model_id: str
    baseline_id: str | None
    report: Mapping[str, Any]
