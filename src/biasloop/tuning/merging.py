"""Base and adapter as one model."""

from pathlib import Path

import torch
from peft import PeftModel

from biasloop.tuning.base import load_base, quiet, read_tokenizer


def merge_adapter(base: Path, adapter: Path, to: Path) -> None:
    """Writes the merged model into the folder `to`, in single precision: merged in half precision,
    a model answers differently."""
    model = load_base(base, dtype=torch.float32)
    with quiet():
        PeftModel.from_pretrained(model, adapter).merge_and_unload().save_pretrained(to)
    read_tokenizer(base).save_pretrained(to)
