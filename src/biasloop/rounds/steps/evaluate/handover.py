"""What the evaluate step passes to its job, and the files that the job writes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from biasloop.domain.label import Scheme


@dataclass(frozen=True, slots=True)
class SavedModel:
    """A model version, the folder that it is saved in, and the labels that it learned."""

    id: str
    classifier: str
    folder: Path
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EvaluateJob:
    """Measures a model in up to three parts, each on a frame of its own.

    `judges` are the models that predict the texts of `audit.parquet` (empty: no audit items).
    `earlier` are tables of earlier models' verdicts on the stop set, with which the verdicts of
    `model` on `stop.parquet` are compared (None: no stopping criteria). `options` are those that
    `model` was trained with, for the models that learn from `savings.parquet` (None: savings are
    not measured). `labels`, `multi` and `renamed` are those of the scheme of today.
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
    renamed: Mapping[str, str] = field(default_factory=dict)

    @property
    def scheme(self) -> Scheme:
        """The labels of today."""
        return Scheme(self.labels, self.multi, renamed=self.renamed)


def part_file(folder: Path, part: str) -> Path:
    """The file of what a finished part returned: "audit", "stopping" or "savings"."""
    return folder / f"{part}.json"


def proba_file(folder: Path, model: str) -> Path:
    """The file of a model's probabilities of the audit items, (n, k); NaN for labels that it never
    learned."""
    return folder / f"{model}.npy"


def audit_flags_file(folder: Path, model: str) -> Path:
    """The file of a model's verdicts on the audit items, (n, k)."""
    return folder / f"{model}.flags.npy"


def stop_verdicts_file(folder: Path) -> Path:
    """The file of the model's verdicts on the stop set; see rounds.steps.stored_verdicts."""
    return folder / "verdicts.parquet"


def flags_file(folder: Path) -> Path:
    """The file of the verdicts by the models of both arms on the audit items, (models, n, k)."""
    return folder / "flags.npy"
