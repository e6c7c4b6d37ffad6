"""The base of a tuning: a causal language model with a chat template, in a folder."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from biasloop.errors import ConfigError

MODEL_FILES = ("*.safetensors", "*.bin", "*.json", "*.model", "*.jinja", "*.txt")
"""Patterns of the files of a model: its weights, settings and tokenizer."""
CHUNK = 2**20
"""Bytes that are read at a time."""


def find_base(name: str) -> Path:
    """The folder of a local model, or of one on the model hub, which is downloaded once.

    Raises ConfigError when there is no model of that name.
    """
    if Path(name).is_dir():
        return Path(name).resolve()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=list(MODEL_FILES)))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ConfigError(
            f"{name} is no folder and cannot be loaded from the model hub "
            f"({type(error).__name__}); give a folder with a model, or check name and connection"
        ) from None


def read_tokenizer(base: Path) -> Any:
    """The tokenizer of a model that can be tuned.

    Raises ConfigError, which says what to set, if the model in `base` cannot be tuned.
    """
    try:
        config = AutoConfig.from_pretrained(base, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(base, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"{base} holds no model that can be read: {error}") from None
    if config.is_encoder_decoder or not _is_causal(config):
        raise ConfigError(
            f"{base} is a {config.model_type}, no causal language model; a tuning needs one with a "
            "chat template"
        )
    if not tokenizer.chat_template:
        raise ConfigError(
            f"{base} has no chat template; take the model's instruct version, or put "
            "chat_template.jinja into its folder"
        )
    if tokenizer.eos_token_id is None:
        raise ConfigError(f"{base} has no end token; set eos_token in tokenizer_config.json")
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id == tokenizer.eos_token_id:
        raise ConfigError(
            f"{base} pads with its end token, so that a tuning would never learn to end; set "
            "pad_token in tokenizer_config.json to an unused special token"
        )
    return tokenizer


def load_base(base: Path, **options: Any) -> Any:
    """Loads the model in `base`, with these options of `from_pretrained`."""
    with quiet():
        return AutoModelForCausalLM.from_pretrained(base, local_files_only=True, **options)


@contextmanager
def quiet() -> Iterator[None]:
    """Hides progress bars, and what transformers, peft and trl announce for future versions."""
    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        if bars:
            logging.enable_progress_bar()


def content_hash(folder: Path) -> str:
    """A hash of the names and contents of a model's files, 64 hex digits: what it is, wherever it
    lies."""
    digest = sha256()
    files = {path for pattern in MODEL_FILES for path in folder.glob(pattern)}
    for path in sorted(files):
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def template_hash(tokenizer: Any) -> str:
    """A hash of the chat template, 16 hex digits: a tuned model must be served with the same."""
    return sha256(str(tokenizer.chat_template).encode()).hexdigest()[:16]


def _is_causal(config: Any) -> bool:
    return type(config) in AutoModelForCausalLM._model_mapping
