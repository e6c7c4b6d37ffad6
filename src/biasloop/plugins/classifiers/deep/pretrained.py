"""Checkpoints from a local folder or the model hub, and what to do when there is none."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

import httpx
import torch
import transformers
from huggingface_hub import constants
from transformers.utils.hub import cached_file

from biasloop.errors import ClassifierError

FILES = (".json", ".safetensors", ".bin", ".txt", ".model")
"""Suffixes of the files of a checkpoint: weights, settings, tokenizer."""
ATTENTION_DROPOUT = ("attention_probs_dropout_prob", "attention_dropout", "attn_pdrop")
"""What settings call the dropout of attention weights. It is turned off: on a CPU its random
numbers take a quarter of a training."""
UNKNOWN_LENGTH = 10**6
"""What tokenizers that do not know their model's length say is above this."""
PATIENCE_SECONDS = 5.0
"""How long the hub may take to answer at all; its own client would try for minutes."""


@dataclass(frozen=True, slots=True)
class Pretrained:
    """A checkpoint: `name` is a hub id or an absolute folder; `id` changes with its content: the
    hub's commit, or a hash of the folder's files."""

    name: str
    id: str
    config: Any
    tokenizer: Any

    def model(self) -> Any:
        """The bare model, float32, without a pooling layer. Raises ClassifierError."""
        config = deepcopy(self.config)
        for name in ATTENTION_DROPOUT:
            if hasattr(config, name):
                setattr(config, name, 0.0)
        load = partial(transformers.AutoModel.from_pretrained, config=config, dtype=torch.float32)
        model = _get(load, self.name, None if Path(self.name).is_dir() else self.id)
        if getattr(model, "pooler", None) is not None:
            model.pooler = None
        model.config.use_cache = False
        return model

    def longest(self, wanted: int) -> int:
        """Tokens that the model reads, at most `wanted`."""
        told = self.tokenizer.model_max_length
        if told >= UNKNOWN_LENGTH:  # RoBERTa and its kin leave two positions unused
            told = getattr(self.config, "max_position_embeddings", UNKNOWN_LENGTH) - 2
        return int(min(wanted, told))


def find_pretrained(name: str, commit: str | None = None) -> Pretrained:
    """The checkpoint of that name: a local folder first, then the hub's cache, then the hub, at
    that commit or else the newest (of the cache, if it has one).

    Raises ClassifierError, saying what to do, when it is nowhere or of no use.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        name, commit, content = str(folder.resolve()), None, hash_of_files(folder)
    elif folder.is_absolute() or name.startswith((".", "~")):
        raise ClassifierError(
            f"there is no folder {name}; name another in classifier.options.model"
        )
    else:
        file = _get(partial(cached_file, filename="config.json"), name, commit)
        commit = content = Path(file).parent.name
    config = _get(transformers.AutoConfig.from_pretrained, name, commit)
    if config.is_encoder_decoder:
        raise ClassifierError(
            f"{name} is an encoder-decoder model; choose an encoder or a decoder-only one"
        )
    tokenizer = _get(transformers.AutoTokenizer.from_pretrained, name, commit)
    return Pretrained(name, content, config, tokenizer)


def hash_of_files(folder: Path) -> str:
    """Of the names and contents of a checkpoint's files."""
    found = blake2b(digest_size=16)
    for path in sorted(folder.iterdir()):
        if path.suffix in FILES:
            found.update(path.name.encode() + b"\0" + hash_of(path).encode())
    return found.hexdigest()


def hash_of(path: Path) -> str:
    """Of a file's content."""
    found = blake2b(digest_size=16)
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            found.update(chunk)
    return found.hexdigest()


def _get(load: Callable[..., Any], name: str, commit: str | None) -> Any:
    local = partial(load, name, revision=commit, local_files_only=True)
    with quiet():
        try:
            return local()
        except Exception as error:
            if Path(name).is_dir() or not isinstance(error, OSError):
                raise ClassifierError(
                    f"{name} holds no model that transformers {transformers.__version__} can "
                    f"read: {_first_line(error)}; check classifier.options.model"
                ) from error
        return _from_hub(partial(load, name, revision=commit), name)


def _from_hub(load: Callable[[], Any], name: str) -> Any:
    missing = f"the model {name!r} is neither a local folder nor in the hub's cache here, and "
    if constants.is_offline_mode():
        raise ClassifierError(
            f"{missing}HF_HUB_OFFLINE forbids to download it; unset that, or name a local folder "
            "in classifier.options.model"
        )
    try:
        httpx.head(constants.ENDPOINT, timeout=PATIENCE_SECONDS)
    except httpx.HTTPError as error:
        raise ClassifierError(
            f"{missing}{constants.ENDPOINT} does not answer; check the network, or name a local "
            "folder in classifier.options.model"
        ) from error
    try:
        return load()
    except Exception as error:
        raise ClassifierError(
            f"{missing}the hub does not give it: {_first_line(error)}; check the id in "
            "classifier.options.model, and HF_TOKEN if the model is private or gated"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


@contextmanager
def quiet() -> Iterator[None]:
    """transformers without progress bars, load reports and advice."""
    root = logging.getLogger("transformers")
    level, bars = root.level, transformers.utils.logging.is_progress_bar_enabled()
    root.setLevel(logging.ERROR)
    transformers.utils.logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(level)
        if bars:
            transformers.utils.logging.enable_progress_bar()
