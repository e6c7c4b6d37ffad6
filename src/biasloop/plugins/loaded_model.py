"""A saved model, asked about the labels of today."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.label import Scheme
from biasloop.domain.learning import Evidence, Proba
from biasloop.domain.verdict import Verdicts, decide_verdicts
from biasloop.plugins.registry import load_classifier
from biasloop.ports import Checkpoint, Classifier, no_checkpoint


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model whose labels may have been renamed, removed or reordered since, or joined by others.

    `names` are the labels that it learned, in the order of its outputs.
    """

    classifier: Classifier
    names: tuple[str, ...]
    scheme: Scheme

    @classmethod
    def load(cls, classifier: str, folder: Path, names: Sequence[str], scheme: Scheme) -> Self:
        """Loads a model. Raises ClassifierError for a damaged one."""
        return cls(load_classifier(classifier, folder), tuple(names), scheme)

    def predict(self, texts: Sequence[str], *, checkpoint: Checkpoint = no_checkpoint) -> Verdicts:
        """Its verdicts on texts."""
        if not texts:
            return self.verdicts(np.zeros((0, len(self.names)), np.float32))
        return self.verdicts(self.classifier.predict_proba(texts, checkpoint=checkpoint))

    def verdicts(self, proba: Proba) -> Verdicts:
        """Its verdicts, from the probabilities that the classifier gave."""
        return decide_verdicts(proba, self.classifier.thresholds, self.names, self.scheme)

    @property
    def thresholds(self) -> NDArray[np.float32]:
        """The threshold of each label of the scheme, shape (k,); NaN for one that the model never
        learned."""
        row = self.classifier.thresholds[None]
        thresholds: NDArray[np.float32] = self.scheme.align(row, self.names, np.nan)[0]
        return thresholds

    def evidence(self, text: str, labels: Sequence[str]) -> list[Evidence]:
        """The words of the text that support each of these labels, which the model knows."""
        learned = {self.scheme.current_name(name): name for name in self.names}
        current = {name: label for label, name in learned.items()}
        spans = self.classifier.evidence(text, [learned[label] for label in labels])
        return [replace(span, label=current[span.label]) for span in spans]
