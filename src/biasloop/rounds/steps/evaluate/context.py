"""The arguments that all parts of the evaluation share."""

from dataclasses import dataclass
from pathlib import Path

from biasloop.domain.label import Scheme
from biasloop.domain.model import ModelVersion
from biasloop.domain.votes.consensus import ConsensusMethod
from biasloop.ports import Pool
from biasloop.rounds.child import Heartbeat
from biasloop.rounds.steps.evaluate.handover import SavedModel


@dataclass(frozen=True, slots=True)
class EvaluationContext:
    """Settings and folders of an evaluation.

    `models` is the folder of all models; the folder of a model version is relative to `workspace`.
    The child process works below `work_folder`, and reads the pool and its stored features from
    their folders.
    """

    pool: Pool
    scheme: Scheme
    consensus: ConsensusMethod
    seed: int
    workspace: Path
    models: Path
    work_folder: Path
    pool_folder: Path
    features_folder: Path
    heartbeat: Heartbeat

    def saved(self, version: ModelVersion) -> SavedModel:
        """A model version as the job takes it."""
        return SavedModel(
            version.id, version.classifier, self.workspace / version.folder, version.labels
        )
