"""Loads checkpoints from a local folder or the model hub, and says what to do when that fails."""

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

CHECKPOINT_SUFFIXES = (".json", ".safetensors", ".bin", ".txt", ".model")
"""Suffixes of the files of a checkpoint: weights, settings, tokenizer."""
ATTENTION_DROPOUT = ("attention_probs_dropout_prob", "attention_dropout", "attn_pdrop")
"""Names of the dropout of attention weights in model configurations. It is turned off: on a CPU,
drawing its random numbers takes a quarter of the training time."""
UNKNOWN_LENGTH = 10**6
"""A tokenizer that does not know the maximum length of its model reports at least this."""
HUB_TIMEOUT_SECONDS = 5.0
"""How long to wait for the hub's first answer; its own client would retry for minutes."""


@dataclass(frozen=True, slots=True)
class Pretrained:
    """A checkpoint. `name` is a hub id or an absolute folder; `id` identifies its content: the
    hub's commit, or a hash of the folder's files."""

    name: str
    id: str
    config: Any
    tokenizer: Any

    def model(self) -> Any:
        """The bare model, float32, without a pooling layer; of a model for text and images its
        text part. Raises ClassifierError."""
        config = deepcopy(self.config)
        text_config = config.get_text_config()
        for name in ATTENTION_DROPOUT:
            if hasattr(text_config, name):
                setattr(text_config, name, 0.0)
        load = partial(transformers.AutoModel.from_pretrained, config=config, dtype=torch.float32)
        model = _load(load, self.name, None if Path(self.name).is_dir() else self.id)
        if text_config is not config:
            model = model.get_decoder()  # so transformers calls it, whatever it is
        if getattr(model, "pooler", None) is not None:
            model.pooler = None
        model.config.use_cache = False
        return model

    def max_length(self, limit: int) -> int:
        """The longest input in tokens: `limit`, or less if the model reads less."""
        by_tokenizer = self.tokenizer.model_max_length
        positions = getattr(self.config.get_text_config(), "max_position_embeddings", None)
        if positions is None:
            return int(min(limit, by_tokenizer))
        if by_tokenizer >= UNKNOWN_LENGTH:  # RoBERTa and similar models leave two positions unused
            positions -= 2
        return int(min(limit, by_tokenizer, positions))


def find_pretrained(name: str, commit: str | None = None) -> Pretrained:
    """The checkpoint of that name: a local folder, else the hub's cache, else the hub itself. From
    the hub it is the given commit, or else the newest one in the cache, or else the newest one.

    Raises ClassifierError, saying what to do, when there is no such model or it cannot be used.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        name, commit, content = str(folder.resolve()), None, checkpoint_hash(folder)
    elif folder.is_absolute() or name.startswith((".", "~")):
        raise ClassifierError(
            f"there is no folder {name}; set classifier.options.model to a folder that exists"
        )
    else:
        file = _load(partial(cached_file, filename="config.json"), name, commit)
        commit = content = Path(file).parent.name
    config = _load(transformers.AutoConfig.from_pretrained, name, commit)
    if config.is_encoder_decoder:
        raise ClassifierError(
            f"{name} is an encoder-decoder model; set classifier.options.model to an encoder or a "
            "decoder-only model"
        )
    tokenizer = _load(transformers.AutoTokenizer.from_pretrained, name, commit)
    return Pretrained(name, content, config, tokenizer)


def checkpoint_hash(folder: Path) -> str:
    """A hash of the names and contents of a checkpoint's files."""
    digest = blake2b(digest_size=16)
    for path in sorted(folder.iterdir()):
        if path.suffix in CHECKPOINT_SUFFIXES:
            digest.update(path.name.encode() + b"\0" + file_hash(path).encode())
    return digest.hexdigest()


def file_hash(path: Path) -> str:
    """A hash of a file's content."""
    digest = blake2b(digest_size=16)
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()


def _load(load: Callable[..., Any], name: str, commit: str | None) -> Any:
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
            f"{missing}HF_HUB_OFFLINE forbids downloading it; unset HF_HUB_OFFLINE, or set "
            "classifier.options.model to a local folder"
        )
    try:
        httpx.head(constants.ENDPOINT, timeout=HUB_TIMEOUT_SECONDS)
    except httpx.HTTPError as error:
        raise ClassifierError(
            f"{missing}{constants.ENDPOINT} does not answer; check the network, or set "
            "classifier.options.model to a local folder"
        ) from error
    try:
        return load()
    except Exception as error:
        raise ClassifierError(
            f"{missing}cannot be downloaded: {_first_line(error)}; check the id in "
            "classifier.options.model, and HF_TOKEN if the model is private or gated"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


@contextmanager
def quiet() -> Iterator[None]:
    """Silences the progress bars, load reports and advice of transformers."""
    logger = logging.getLogger("transformers")
    level, bars = logger.level, transformers.utils.logging.is_progress_bar_enabled()
    logger.setLevel(logging.ERROR)
    transformers.utils.logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
        if bars:
            transformers.utils.logging.enable_progress_bar()
