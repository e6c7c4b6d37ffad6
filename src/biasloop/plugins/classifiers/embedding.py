"""A linear head on a frozen sentence encoder: each text is encoded once, training takes seconds."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from biasloop.plugins.classifiers.deep.pretrained import Pretrained, find_pretrained
from biasloop.plugins.classifiers.deep.sentence_encoder import SentenceEncoder
from biasloop.plugins.classifiers.encoded import EncodedClassifier
from biasloop.plugins.classifiers.options import EmbeddingOptions


class Embedding(EncodedClassifier):
    """See EncodedClassifier. The seed decides the folds; all else is deterministic."""

    options_model = EmbeddingOptions
    options: EmbeddingOptions

    def encoder_key(self) -> str:
        """The id of its only encoder. Raises ClassifierError if the model cannot be loaded."""
        return self._frozen_encoder.id

    def make_encoder(self, texts: Sequence[str], unlabelled: Sequence[str] = ()) -> SentenceEncoder:
        """The same encoder for all texts. Raises ClassifierError if the model cannot be loaded."""
        return self._frozen_encoder

    @staticmethod
    def load_encoder(folder: Path) -> SentenceEncoder:
        """See SentenceEncoder.load."""
        return SentenceEncoder.load(folder)

    def find_pretrained_model(self) -> Pretrained:
        """Its files, found and identified; the weights are not loaded. Raises ClassifierError."""
        return find_pretrained(self.options.model)

    @cached_property
    def _frozen_encoder(self) -> SentenceEncoder:
        return SentenceEncoder(self.find_pretrained_model(), self.options.max_length)
