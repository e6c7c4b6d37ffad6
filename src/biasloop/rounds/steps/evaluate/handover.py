"""What the evaluate step passes to its job, and the files that the job writes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from biasloop.domain.label import Scheme
from biasloop.rounds.results import Result, read_result


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

    @property
    def parts(self) -> list[str]:
        """The names of the parts, in the order in which they are done."""
        included = {
            "audit": bool(self.judges),
            "stopping": self.earlier is not None,
            "savings": self.options is not None,
        }
        return [name for name, asked in included.items() if asked]

    def outputs(self, folder: Path, result: Mapping[str, Any]) -> list[Path]:
        """The files of all parts."""
        return [f for part in self.parts for f in self.part_outputs(part, folder, result[part])]

    def part_outputs(self, part: str, folder: Path, result: Mapping[str, Any]) -> list[Path]:
        """The files that belong to the result of a part."""
        match part:
            case "audit":
                files = (proba_file, audit_flags_file)
                return [file(folder, judge.id) for judge in self.judges for file in files]
            case "stopping":
                return [stop_verdicts_file(folder)]
            case _:
                return [] if "error" in result else [flags_file(folder)]


def part_file(folder: Path, part: str) -> Path:
    """The file of what a finished part returned: "audit", "stopping" or "savings"."""
    return folder / f"{part}.json"


def read_part(folder: Path, job: EvaluateJob, part: str) -> Result | None:
    """What a part returned, if it is finished and its files can be read."""
    return read_result(part_file(folder, part), partial(job.part_outputs, part))


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
