"""What the evaluate step hands to its job, and where it finds what the job wrote."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class SavedModel:
    """A model version and the folder that it is saved in."""

    id: str
    classifier: str
    folder: Path


@dataclass(frozen=True, slots=True)
class EvaluateJob:
    """Measures a model in up to three parts, each on a frame of its own.

    `judges` say what they think of the texts of `audit.parquet` (none: no audit items). `earlier`
    are the tables of verdicts that the stop set's, `stop.parquet`, are compared with (None: no
    stopping criteria). `options` are those that `model` was trained with, for the models that
    learn from `savings.parquet` (None: savings are not measured).
    """

    model: SavedModel
    labels: tuple[str, ...]
    multi: bool
    seed: int
    pool: Path
    features: Path
    judges: tuple[SavedModel, ...] = ()
    earlier: tuple[Path, ...] | None = None
    options: Mapping[str, Any] | None = None


def proba_file(folder: Path, model: str) -> Path:
    """Probabilities (n, k) of the audit items by a model."""
    return folder / f"{model}.npy"


def thresholds_file(folder: Path, model: str) -> Path:
    """The thresholds (k,) of a model."""
    return folder / f"{model}.thresholds.npy"


def stop_verdicts_file(folder: Path) -> Path:
    """What the model says of the stop set; see rounds.steps.stored_verdicts."""
    return folder / "verdicts.parquet"


def flags_file(folder: Path) -> Path:
    """What the models of both arms say of the audit items, (models, n, k)."""
    return folder / "flags.npy"
