"""What every part of the evaluation works with."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from biasloop.domain.label import Scheme
from biasloop.domain.model import ModelVersion
from biasloop.domain.votes.consensus import Method
from biasloop.ports import Pool
from biasloop.rounds.child import Heartbeat


@dataclass(frozen=True, slots=True)
class EvaluationContext:
    """`models` is the folder of all models, whose own folders are relative to `workspace`. Child
    processes work below `work_folder` and find the pool and its kept features by `data`."""

    pool: Pool
    scheme: Scheme
    consensus: Method
    seed: int
    workspace: Path
    models: Path
    work_folder: Path
    data: Mapping[str, str]
    heartbeat: Heartbeat

    def model(self, version: ModelVersion) -> dict[str, str]:
        """How a job names a model."""
        folder = str(self.workspace / version.folder)
        return {"id": version.id, "classifier": version.classifier, "folder": folder}
