"""What every part of the evaluation works with."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from biasloop.domain.label import Scheme
from biasloop.domain.model import ModelVersion
from biasloop.process import Heartbeat


@dataclass(frozen=True, slots=True)
class Bench:
    """`folder` is what the models' folders are relative to, `models` the folder of all of them;
    child processes work below `work_folder` and find the pool and its kept features by `data`."""

    scheme: Scheme
    seed: int
    folder: Path
    models: Path
    work_folder: Path
    data: Mapping[str, str]
    heartbeat: Heartbeat

    def model(self, version: ModelVersion) -> dict[str, str]:
        """How a job names a model."""
        folder = str(self.folder / version.folder)
        return {"id": version.id, "classifier": version.classifier, "folder": folder}
