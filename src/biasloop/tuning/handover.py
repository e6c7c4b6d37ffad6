"""What a tuning is asked to do, and the files that it writes."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from biasloop.store.atomic import read_if_intact


class Method(StrEnum):
    """How a model is tuned."""

    SFT = "sft"
    """It learns to give the preferred answers."""
    DPO = "dpo"
    """It learns to prefer them to the other answers (Rafailov et al. 2023, "Direct preference
    optimization"), together with SFT, without which answers no longer end (Pang et al. 2024,
    "Iterative reasoning preference optimization")."""


LEARNING_RATES = {Method.SFT: 1e-4, Method.DPO: 1e-5}
BETA = 0.1
"""Keeps DPO near the model that it begins with: the smaller, the further it may move."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is tuned. `batch` is the number of rows of a step, of which `rows_at_once` are in
    memory; `warm_up` is the share of steps over which the learning rate rises; `rank`, `alpha` and
    `dropout` are those of LoRA (Hu et al. 2022); `max_length` is in tokens. With `four_bit`, the
    base is in four bits (Dettmers et al. 2023, "QLoRA")."""

    method: Method
    learning_rate: float
    epochs: int = 3
    batch: int = 16
    rows_at_once: int = 4
    warm_up: float = 0.1
    rank: int = 16
    alpha: int = 32
    dropout: float = 0.05
    max_length: int = 1024
    four_bit: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True)
class TuneJob:
    """Tunes the model `base` (a folder), beginning with the adapter `on` if there is one, on the
    rows of pairs.parquet. `placebo`: on its own earlier answers to the same prompts."""

    base: Path
    on: Path | None
    recipe: Recipe
    placebo: bool = False

    def outputs(self, folder: Path, result: Mapping[str, Any]) -> list[Path]:
        """The adapter, and the figures of every step."""
        return [adapter_folder(folder), curve_file(folder)]


def adapter_folder(folder: Path) -> Path:
    """The folder of the adapter, as peft saves it."""
    return folder / "adapter"


def progress_file(folder: Path) -> Path:
    """The file with the number of steps that are done."""
    return folder / "steps"


def steps_done(folder: Path) -> int:
    """The number of steps that a running job has done; 0 before the first one."""
    text = read_if_intact(progress_file(folder), Path.read_text)
    return int(text) if text and text.isdigit() else 0


def curve_file(folder: Path) -> Path:
    """The file with the figures of every step."""
    return folder / "curve.parquet"
