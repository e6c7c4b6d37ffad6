"""What every part of the evaluation works with."""

from dataclasses import dataclass
from pathlib import Path

from biasloop.domain.label import Scheme
from biasloop.domain.model import ModelVersion
from biasloop.domain.votes.consensus import Method
from biasloop.ports import Pool
from biasloop.rounds.child import Heartbeat
from biasloop.rounds.steps.evaluate.handover import SavedModel


@dataclass(frozen=True, slots=True)
class EvaluationContext:
    """`models` is the folder of all models, whose own folders are relative to `workspace`. The
    child process works below `work_folder`, on the pool and its stored features in their
    folders."""

    pool: Pool
    scheme: Scheme
    consensus: Method
    seed: int
    workspace: Path
    models: Path
    work_folder: Path
    pool_folder: Path
    features_folder: Path
    heartbeat: Heartbeat

    def saved(self, version: ModelVersion) -> SavedModel:
        """A model as the job finds it."""
        return SavedModel(version.id, version.classifier, self.workspace / version.folder)
