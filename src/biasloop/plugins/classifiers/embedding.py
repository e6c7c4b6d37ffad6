"""A linear head on terms and on the states of a frozen pretrained model.

Each text is encoded once; training takes seconds.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from biasloop.plugins.classifiers.deep.pretrained import Pretrained, find_pretrained
from biasloop.plugins.classifiers.deep.sentence_encoder import FILE, Form, SentenceEncoder
from biasloop.plugins.classifiers.encoded import EncodedClassifier
from biasloop.plugins.classifiers.mixed.mixed_encoder import MixedEncoder
from biasloop.plugins.classifiers.options import EmbeddingOptions, TfidfOptions
from biasloop.plugins.classifiers.tfidf import Tfidf
from biasloop.ports import Encoder

LARGE_POOL = 40_000
"""From this many unlabelled texts on, rows are a quarter as wide."""


class Embedding(EncodedClassifier):
    """See EncodedClassifier. The seed decides the folds; all else is deterministic."""

    options_model = EmbeddingOptions
    options: EmbeddingOptions

    def encoder_key(self) -> str:
        """A key of the terms, of the pretrained model and of how it is used. Raises ClassifierError
        if the model cannot be loaded."""
        return "-".join([self._terms.encoder_key(), *(self._states(f).id for f in self._forms)])

    def make_encoder(self, texts: Sequence[str], unlabelled: Sequence[str] = ()) -> MixedEncoder:
        """See ports.EncoderClassifier. Raises ClassifierError if the model cannot be loaded or no
        text contains a word."""
        states = self._states(self._forms[len(unlabelled) >= LARGE_POOL])
        return MixedEncoder(self._terms.make_encoder(texts, unlabelled), states)

    @staticmethod
    def load_encoder(folder: Path) -> Encoder:
        """See MixedEncoder.load; earlier versions saved an encoder without terms."""
        kind = SentenceEncoder if (folder / FILE).exists() else MixedEncoder
        return kind.load(folder)

    def find_pretrained_model(self) -> Pretrained:
        """Its files, found and identified; the weights are not loaded. Raises ClassifierError."""
        return self._pretrained

    @property
    def _terms(self) -> Tfidf:
        return Tfidf(TfidfOptions(language=self.options.language))

    @property
    def _forms(self) -> tuple[Form, Form]:
        """The form of the states in a small pool and in a large one."""
        form = self.options.states
        return (form, form) if form else ("joined", "mean")

    @cached_property
    def _pretrained(self) -> Pretrained:
        return find_pretrained(self.options.model)

    def _states(self, form: Form) -> SentenceEncoder:
        return SentenceEncoder(self._pretrained, self.options.max_length, form)
