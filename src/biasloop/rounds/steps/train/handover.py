"""What the train step passes to its jobs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class LearningJob:
    """What all training jobs need; `data.parquet` has the rows of `training_data`.

    `pool` and `features` are the folders of the pool and of its stored feature rows.
    """

    classifier: str
    options: Mapping[str, Any]
    labels: tuple[str, ...]
    multi: bool
    seed: int
    pool: Path
    features: Path


@dataclass(frozen=True, kw_only=True)
class TrainJob(LearningJob):
    """Trains a model; `linear` are the options of the linear one trained with a slow one."""

    linear: Mapping[str, Any]

    def outputs(self, folder: Path, result: Mapping[str, Any]) -> list[Path]:
        """The model's folder, and the file of its out-of-fold probabilities."""
        return [model_folder(folder), oof_file(folder)]


@dataclass(frozen=True, kw_only=True)
class ReviewJob(LearningJob):
    """Reviews texts by language models at this `weight`, `up_to` a ledger sequence number."""

    weight: float
    up_to: int

    def outputs(self, folder: Path, result: Mapping[str, Any]) -> list[Path]:
        """This job writes no files besides its result."""
        return []


def model_folder(folder: Path) -> Path:
    """The folder of the trained model."""
    return folder / "model"


def oof_file(folder: Path) -> Path:
    """The file of the model's out-of-fold probabilities, (n, k)."""
    return folder / "oof.npy"
