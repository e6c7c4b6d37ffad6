"""What a frozen pretrained model makes of texts, as feature rows."""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal, Self

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
FORMAT = 2
LAST_FORMAT = 1
"""Format of encoders that keep the last layer only; models that have one can still be read."""
LAYERS = 4
"""How many layers are kept: evenly spaced, from the middle of the model to its end. The last one
alone has lost much of what a sentence says; see benchmarks/RESULTS.md."""
CHUNK_TEXTS = 5_000
"""How many texts are encoded at a time: the states of all layers, of which rows are made, take
several times the memory of the rows."""
MAX_ENTRY = 1.001
"""Maximum of the numbers in a row of length 1, with some room for rounding."""

Form = Literal["joined", "mean", "last"]
"""What is kept of a text's mean-pooled states: those of LAYERS layers side by side, their mean, or
the last layer alone."""
Rows = NDArray[np.floating[Any]]


class SentenceEncoder:
    """See ports.Encoder. Rows are mean-pooled states of some layers, scaled to length 1.

    `id` depends on the content of the pretrained model and on how it is used, but not on the
    machine: rows in bfloat16 differ slightly from those in float32.
    """

    def __init__(self, pretrained: Pretrained, max_length: int, form: Form) -> None:
        self.pretrained = pretrained
        self.max_length = pretrained.max_length(max_length)
        self.form = form
        config = pretrained.config.get_text_config()
        self._size, depth = config.hidden_size, config.num_hidden_layers
        self.layers = [depth] if form == "last" else middle_layers(depth)
        self.width = self._size * (len(self.layers) if form == "joined" else 1)
        self._dtype = np.dtype(np.float32 if form == "last" else np.float16)
        version = f"{LAST_FORMAT}" if form == "last" else f"{FORMAT} {form} {self.layers}"
        identity = (
            f"{version} {pretrained.id} {self.max_length} mean normalised {NORMALISER_VERSION}"
        )
        self.id = blake2b(identity.encode(), digest_size=8).hexdigest()

    def encode(self, texts: Sequence[str], *, checkpoint: Checkpoint = no_checkpoint) -> Rows:
        """Feature rows (n, width)."""
        rows = np.empty((len(texts), self.width), self._dtype)
        for start in range(0, len(texts), CHUNK_TEXTS):
            chunk = slice(start, start + CHUNK_TEXTS)
            rows[chunk] = self._encode_chunk(texts[chunk], checkpoint)
        return rows

    def _encode_chunk(self, texts: Sequence[str], checkpoint: Checkpoint) -> Rows:
        tokenizer = self.pretrained.tokenizer
        tokens = tokenise(tokenizer, texts, self.max_length)
        pad = padding_token(tokenizer)
        states = mean_states(self._model, self.layers, tokens, pad, checkpoint)
        if self.form != "last":
            states = _scaled(states)  # else the layer with the longest states would decide
        rows = states if self.form == "joined" else states.mean(axis=1)
        return _scaled(rows.reshape(len(texts), self.width))

    def embed(self, features: Rows) -> NDArray[np.float32]:
        """The mean over the layers (n, e), of length 1."""
        layers = self.width // self._size
        by_layer = np.asarray(features, np.float32).reshape(len(features), layers, self._size)
        return _scaled(by_layer.mean(axis=1))

    def similarity(self, some: Rows, others: Rows) -> NDArray[np.float32]:
        """See ports.Encoder."""
        return np.asarray(some, np.float32) @ np.asarray(others, np.float32).T

    def pack(self, features: Rows) -> dict[str, NDArray[Any]]:
        """See ports.Encoder."""
        return {"rows": features}

    def unpack(self, arrays: Mapping[str, NDArray[Any]]) -> Rows:
        """See ports.Encoder."""
        rows = arrays["rows"]
        if rows.dtype != self._dtype or rows.shape[1:] != (self.width,):
            raise ValueError(f"the rows are not of {self.width} numbers")
        if rows.size and not -MAX_ENTRY <= rows.min() <= rows.max() <= MAX_ENTRY:
            raise ValueError("the rows are not scaled to length 1")
        return rows

    def join(self, parts: Sequence[Rows]) -> Rows:
        """See ports.Encoder."""
        return np.concatenate(parts)

    def save(self, folder: Path) -> None:
        """Writes the name and id of the pretrained model; the model itself is not copied."""
        state = {
            "format": LAST_FORMAT if self.form == "last" else FORMAT,
            "pretrained": {"name": self.pretrained.name, "id": self.pretrained.id},
            "max_length": self.max_length,
            "form": self.form,
            "id": self.id,
        }
        (folder / FILE).write_text(json.dumps(state, indent=1), "utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises ClassifierError when a file is damaged or the pretrained model has changed."""
        with readable(folder / FILE):
            state = json.loads((folder / FILE).read_text("utf-8"))
            saved = state["pretrained"]
            pretrained = find_pretrained(saved["name"], saved["id"])
            encoder = cls(pretrained, state["max_length"], state.get("form", "last"))
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


def middle_layers(depth: int) -> list[int]:
    """At most LAYERS layers, evenly spaced from the middle of a model of that depth to its end."""
    return sorted({int(layer) for layer in np.linspace(depth / 2, depth, LAYERS).round()})


def _scaled(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors along the last axis, scaled to length 1."""
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    scaled: NDArray[np.float32] = rows / np.maximum(length, np.finfo(np.float32).tiny)
    return scaled
