"""How and where a model is trained."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biasloop.domain.label import Scheme
from biasloop.domain.measure.probation import ProbationTerms
from biasloop.domain.votes.consensus import ConsensusMethod


@dataclass(frozen=True, slots=True)
class Folders:
    """The working folder of a training, and the folders of the pool and its stored features."""

    work: Path
    pool: Path
    features: Path


@dataclass(frozen=True, slots=True)
class Recipe:
    """Which classifier is trained, and how.

    `linear` are the options of the linear classifier that is trained with a slow one (see
    rounds.steps.score.cascade). `written` are the terms on which models learn from texts by
    language models. `consensus` says how votes are resolved; with `soft`, votes on an item that
    differ are separate examples.
    """

    classifier: str
    options: Mapping[str, Any]
    linear: Mapping[str, Any]
    constructed_weight: float
    written: ProbationTerms
    consensus: ConsensusMethod
    soft: bool
    seed: int

    def learning(self, scheme: Scheme, folders: Folders) -> dict[str, Any]:
        """The fields of a LearningJob that trains by this recipe."""
        return {
            "classifier": self.classifier,
            "options": self.options,
            "labels": scheme.labels,
            "multi": scheme.multi,
            "seed": self.seed,
            "pool": folders.pool,
            "features": folders.features,
        }
