"""The encoder of the `embedding` classifier: terms, and states of a frozen pretrained model."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from biasloop.plugins.classifiers.deep.sentence_encoder import SentenceEncoder
from biasloop.plugins.classifiers.mixed.mixed_rows import MixedRows
from biasloop.plugins.classifiers.terms.term_encoder import TermEncoder
from biasloop.ports import Checkpoint, no_checkpoint

TERMS, STATES = "terms", "states"
"""The folders of the two encoders."""


class MixedEncoder:
    """See store.features.JoinedEncoder. New terms change one half only: what the pretrained model
    computed stays."""

    def __init__(self, terms: TermEncoder, states: SentenceEncoder) -> None:
        self.terms, self.states = terms, states
        self.parts = (terms, states)
        self.id = blake2b(f"{terms.id} {states.id}".encode(), digest_size=8).hexdigest()

    def encode(self, texts: Sequence[str], *, checkpoint: Checkpoint = no_checkpoint) -> MixedRows:
        """Feature rows of both."""
        terms = self.terms.encode(texts, checkpoint=checkpoint)
        return MixedRows(terms, self.states.encode(texts, checkpoint=checkpoint))

    def combine(self, features: Sequence[Any]) -> MixedRows:
        """See store.features.JoinedEncoder."""
        return MixedRows(*features)

    def embed(self, features: MixedRows) -> NDArray[np.float32]:
        """Those of the states."""
        return self.states.embed(features.states)

    def similarity(self, some: MixedRows, others: MixedRows) -> NDArray[np.float32]:
        """The mean of the cosines of both, as each is half of a row."""
        of_terms = self.terms.similarity(some.terms, others.terms)
        of_states = self.states.similarity(some.states, others.states)
        return np.asarray((of_terms + of_states) / 2, np.float32)

    def pack(self, features: MixedRows) -> dict[str, NDArray[Any]]:
        """See ports.Encoder."""
        return self.terms.pack(features.terms) | self.states.pack(features.states)

    def unpack(self, arrays: Mapping[str, NDArray[Any]]) -> MixedRows:
        """See ports.Encoder."""
        features = MixedRows(self.terms.unpack(arrays), self.states.unpack(arrays))
        if len(features.terms) != len(features.states):
            raise ValueError("there are not as many rows of terms as of states")
        return features

    def join(self, parts: Sequence[MixedRows]) -> MixedRows:
        """See ports.Encoder."""
        return MixedRows(
            self.terms.join([part.terms for part in parts]),
            self.states.join([part.states for part in parts]),
        )

    def save(self, folder: Path) -> None:
        """Writes both, each into a folder of its own."""
        for name in (TERMS, STATES):
            (folder / name).mkdir()
        self.terms.save(folder / TERMS)
        self.states.save(folder / STATES)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises ClassifierError when a file is damaged or the pretrained model has changed."""
        return cls(TermEncoder.load(folder / TERMS), SentenceEncoder.load(folder / STATES))
