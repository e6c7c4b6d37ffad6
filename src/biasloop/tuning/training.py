"""Trains an adapter with trl, step by step, so that a killed tuning resumes where it stopped."""

import json
import math
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import (
    BitsAndBytesConfig,
    PrinterCallback,
    TrainerCallback,
    set_seed,
)

from biasloop.errors import ConfigError, JobError
from biasloop.ports import Checkpoint
from biasloop.store.atomic import read_if_intact
from biasloop.tuning.base import load_base, quiet
from biasloop.tuning.handover import (
    BETA,
    Method,
    Recipe,
    adapter_folder,
    curve_file,
    progress_file,
)
from biasloop.tuning.rows import to_row

STEPS_BETWEEN_SAVES = 10
WEIGHT_DECAY = 0.0


def load_model(base: Path, on: Path | None, recipe: Recipe) -> PeftModel:
    """The base with a new adapter, or with the adapter `on`, which learns further.

    Raises ConfigError if the recipe wants four bits and bitsandbytes does not run here.
    """
    on_gpu = torch.cuda.is_available()
    dtype = torch.bfloat16 if on_gpu else torch.float32
    options: dict[str, Any] = {"dtype": dtype}
    if recipe.four_bit:
        options["quantization_config"] = _four_bits(dtype)
    model = load_base(base, **options)
    if on is not None:
        with quiet():
            return PeftModel.from_pretrained(model, on, is_trainable=True)
    set_seed(recipe.seed)  # the adapter begins with random numbers
    adapter = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, adapter)


def train(
    model: PeftModel,
    tokenizer: Any,
    rows: Sequence[Mapping[str, Any]],
    recipe: Recipe,
    folder: Path,
    checkpoint: Checkpoint,
) -> dict[str, Any]:
    """Trains the adapter on these rows and writes it and the curve into `folder`. Returns the
    number of steps, and the loss of the last one.

    With one thread on a CPU, a training that was killed and started again ends with the same bytes.
    Raises JobError when the loss is not a number.
    """
    checkpoints = folder / "checkpoints"
    step_counter = _StepCounter(progress_file(folder), checkpoint)
    trainer = _trainer(model, tokenizer, rows, recipe, checkpoints, step_counter)
    trainer.remove_callback(PrinterCallback)  # the curve says the same
    _delete_incomplete(checkpoints)
    with quiet():
        trainer.train(resume_from_checkpoint=_newest(checkpoints))
    history = [row for row in trainer.state.log_history if "loss" in row]
    losses = [row["loss"] for row in history]
    if not losses or math.isnan(losses[-1]):
        raise JobError("the loss is no longer a number; tune with a lower --learning-rate")
    adapter = adapter_folder(folder)
    shutil.rmtree(adapter, ignore_errors=True)  # left by a killed attempt
    # trl adds a copy of the adapter to compare with, which no one needs later.
    model.save_pretrained(adapter, selected_adapters=["default"], save_embedding_layers=False)
    tokenizer.save_pretrained(adapter)
    pd.DataFrame(history).to_parquet(curve_file(folder))
    shutil.rmtree(checkpoints, ignore_errors=True)
    return {"steps": trainer.state.global_step, "loss": losses[-1]}


def _trainer(
    model: PeftModel,
    tokenizer: Any,
    rows: Sequence[Mapping[str, Any]],
    recipe: Recipe,
    checkpoints: Path,
    step_counter: TrainerCallback,
) -> Any:
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"  # trl reports each trainer that is made
    from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

    data = Dataset.from_list([to_row(row, recipe.method) for row in rows])
    on_gpu = torch.cuda.is_available()
    shared: dict[str, Any] = {
        "output_dir": str(checkpoints),
        "learning_rate": recipe.learning_rate,
        "num_train_epochs": recipe.epochs,
        "per_device_train_batch_size": min(recipe.rows_at_once, recipe.batch),
        "gradient_accumulation_steps": max(1, recipe.batch // recipe.rows_at_once),
        "warmup_steps": recipe.warm_up,
        "weight_decay": WEIGHT_DECAY,
        "lr_scheduler_type": "cosine",
        "max_length": recipe.max_length,
        "seed": recipe.seed,
        "data_seed": recipe.seed,
        "bf16": on_gpu,
        "use_cpu": not on_gpu,
        "gradient_checkpointing": on_gpu,
        "save_steps": STEPS_BETWEEN_SAVES,
        "save_total_limit": 2,
        "logging_steps": 1,
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": on_gpu,
    }
    with quiet():
        if recipe.method is Method.SFT:
            return SFTTrainer(
                model=model,
                args=SFTConfig(**shared, completion_only_loss=True),
                train_dataset=data,
                processing_class=tokenizer,
                callbacks=[step_counter],
            )
        return DPOTrainer(
            model=model,
            args=DPOConfig(**shared, beta=BETA, loss_type=["sigmoid", "sft"]),
            train_dataset=data,
            processing_class=tokenizer,
            callbacks=[step_counter],
        )


class _StepCounter(TrainerCallback):  # type: ignore[misc]
    """Counts the steps in a file, and ends the process between two of them if its parent is
    gone."""

    def __init__(self, file: Path, checkpoint: Checkpoint) -> None:
        self._file, self._checkpoint = file, checkpoint

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self._file.write_text(str(state.global_step))
        self._checkpoint()


def _delete_incomplete(checkpoints: Path) -> None:
    """Deletes the checkpoints that a kill interrupted."""
    for folder in checkpoints.glob("checkpoint-*"):
        # The trainer writes this file last.
        if read_if_intact(folder / "trainer_state.json", _read_json) is None:
            shutil.rmtree(folder)


def _newest(checkpoints: Path) -> str | None:
    """The checkpoint with the most steps; None before the first."""
    folders = checkpoints.glob("checkpoint-*")
    newest = max(folders, key=lambda path: int(path.name.rpartition("-")[2]), default=None)
    return None if newest is None else str(newest)


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def _four_bits(dtype: torch.dtype) -> BitsAndBytesConfig:
    try:
        import bitsandbytes  # noqa: F401
    except (ImportError, OSError, RuntimeError) as error:
        raise ConfigError(
            f"four bits need the package bitsandbytes, which does not run here ({error}); tune "
            "without --four-bit"
        ) from None
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype
    )
