"""The encoder of the `embedding` classifier: a frozen pretrained model."""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.text import NORMALISER_VERSION
from biasloop.errors import ClassifierError
from biasloop.plugins.classifiers.deep import hardware
from biasloop.plugins.classifiers.deep.batches import padding_token, tokenise
from biasloop.plugins.classifiers.deep.pretrained import Pretrained, find_pretrained
from biasloop.plugins.classifiers.deep.scoring import mean_states
from biasloop.plugins.classifiers.deep.training import own_random_state
from biasloop.plugins.classifiers.state import readable
from biasloop.ports import Checkpoint, no_checkpoint

FILE = "encoder.json"
FORMAT = 1
MAX_ENTRY = 1.001
"""Maximum of the numbers in a row of length 1, with some room for rounding."""

Rows = NDArray[np.float32]


class SentenceEncoder:
    """See ports.Encoder. Rows are mean-pooled states scaled to length 1, and also the embeddings.

    `id` depends on the content of the pretrained model and on how it is used, but not on the
    machine: rows in bfloat16 differ slightly from those in float32.
    """

    def __init__(self, pretrained: Pretrained, max_length: int) -> None:
        self.pretrained = pretrained
        self.max_length = pretrained.max_length(max_length)
        identity = (
            f"{FORMAT} {pretrained.id} {self.max_length} mean normalised {NORMALISER_VERSION}"
        )
        self.id = blake2b(identity.encode(), digest_size=8).hexdigest()

    def encode(self, texts: Sequence[str], *, checkpoint: Checkpoint = no_checkpoint) -> Rows:
        """Feature rows (n, e)."""
        tokenizer = self.pretrained.tokenizer
        tokens = tokenise(tokenizer, texts, self.max_length)
        states = mean_states(self._model, tokens, padding_token(tokenizer), checkpoint)
        length = np.linalg.norm(states, axis=1, keepdims=True)
        rows: Rows = states / np.maximum(length, np.finfo(np.float32).tiny)
        return rows

    def embed(self, features: Rows) -> Rows:
        """The rows themselves."""
        return np.asarray(features)

    def similarity(self, some: Rows, others: Rows) -> Rows:
        """See ports.Encoder."""
        cosines: Rows = some @ others.T
        return cosines

    def pack(self, features: Rows) -> dict[str, NDArray[Any]]:
        """See ports.Encoder."""
        return {"rows": features}

    def unpack(self, arrays: Mapping[str, NDArray[Any]]) -> Rows:
        """See ports.Encoder."""
        rows = arrays["rows"]
        width = self.pretrained.config.get_text_config().hidden_size
        if rows.dtype != np.float32 or rows.shape[1:] != (width,):
            raise ValueError(f"the rows are not of {width} numbers")
        if rows.size and not -MAX_ENTRY <= rows.min() <= rows.max() <= MAX_ENTRY:
            raise ValueError("the rows are not scaled to length 1")
        return rows

    def join(self, parts: Sequence[Rows]) -> Rows:
        """See ports.Encoder."""
        return np.concatenate(parts)

    def save(self, folder: Path) -> None:
        """Writes the name and id of the pretrained model; the model itself is not copied."""
        state = {
            "format": FORMAT,
            "pretrained": {"name": self.pretrained.name, "id": self.pretrained.id},
            "max_length": self.max_length,
            "id": self.id,
        }
        (folder / FILE).write_text(json.dumps(state, indent=1), "utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises ClassifierError when a file is damaged or the pretrained model has changed."""
        with readable(folder / FILE):
            state = json.loads((folder / FILE).read_text("utf-8"))
            saved = state["pretrained"]
            encoder = cls(find_pretrained(saved["name"], saved["id"]), state["max_length"])
        if encoder.pretrained.id != saved["id"]:
            raise ClassifierError(
                f"{encoder.pretrained.name} is no longer the pretrained model that {folder} was "
                f"made with (it was {saved['id']}, it is {encoder.pretrained.id}); restore the "
                "earlier one, or train again"
            )
        return encoder

    @cached_property
    def _model(self) -> Any:
        device = hardware.device()
        with own_random_state(device):
            model = self.pretrained.model()
        return model.to(device, hardware.dtype(device)).eval()
