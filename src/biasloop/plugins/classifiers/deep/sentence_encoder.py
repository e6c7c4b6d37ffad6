"""The encoder of the `embedding` classifier: a frozen pretrained model."""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from biasloop.errors import ClassifierError
from biasloop.plugins.classifiers.deep import hardware
from biasloop.plugins.classifiers.deep.batches import filler, tokenise
from biasloop.plugins.classifiers.deep.pretrained import Pretrained, find_pretrained
from biasloop.plugins.classifiers.deep.scoring import mean_states
from biasloop.plugins.classifiers.deep.training import own_randomness
from biasloop.plugins.classifiers.state import readable
from biasloop.ports import Checkpoint, no_checkpoint

FILE = "encoder.json"
FORMAT = 1

Rows = NDArray[np.float32]


class SentenceEncoder:
    """See ports.Encoder. Rows are mean-pooled states of length 1; they are their own embedding.

    `id` follows the content of the pretrained model and what is done with it, not the machine: in
    bfloat16 rows differ a little from those in float32.
    """

    def __init__(self, pretrained: Pretrained, max_length: int) -> None:
        self.pretrained = pretrained
        self.max_length = pretrained.longest(max_length)
        told = f"{FORMAT} {pretrained.id} {self.max_length} mean normalised"
        self.id = blake2b(told.encode(), digest_size=8).hexdigest()

    def encode(self, texts: Sequence[str], *, checkpoint: Checkpoint = no_checkpoint) -> Rows:
        """Feature rows (n, e)."""
        tokenizer = self.pretrained.tokenizer
        tokens = tokenise(tokenizer, texts, self.max_length)
        found = mean_states(self._model, tokens, filler(tokenizer), checkpoint)
        length = np.linalg.norm(found, axis=1, keepdims=True)
        rows: Rows = found / np.maximum(length, np.finfo(np.float32).tiny)
        return rows

    def embed(self, features: Rows) -> Rows:
        """The rows themselves."""
        return np.asarray(features)

    def similarity(self, some: Rows, others: Rows) -> Rows:
        """See ports.Encoder."""
        found: Rows = some @ others.T
        return found

    def pack(self, features: Rows) -> dict[str, NDArray[Any]]:
        """See ports.Encoder."""
        return {"rows": features}

    def unpack(self, arrays: Mapping[str, NDArray[Any]]) -> Rows:
        """See ports.Encoder."""
        return arrays["rows"]

    def join(self, parts: Sequence[Rows]) -> Rows:
        """See ports.Encoder."""
        return np.concatenate(parts)

    def save(self, folder: Path) -> None:
        """Names the pretrained model, by id and content; it is not copied."""
        state = {
            "format": FORMAT,
            "pretrained": {"name": self.pretrained.name, "id": self.pretrained.id},
            "max_length": self.max_length,
            "id": self.id,
        }
        (folder / FILE).write_text(json.dumps(state, indent=1), "utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises ClassifierError when the pretrained model is not what it was."""
        with readable(folder / FILE):
            state = json.loads((folder / FILE).read_text("utf-8"))
            named = state["pretrained"]
            found = cls(find_pretrained(named["name"], named["id"]), state["max_length"])
        if found.id != state["id"]:
            raise ClassifierError(
                f"{found.pretrained.name} is no longer the pretrained model that {folder} was made "
                f"with (it was {named['id']}, it is {found.pretrained.id}); put that one back, or "
                "train again"
            )
        return found

    @cached_property
    def _model(self) -> Any:
        on = hardware.device()
        with own_randomness(on):
            model = self.pretrained.model()
        return model.to(on, hardware.dtype(on)).eval()
