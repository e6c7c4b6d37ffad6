"""Verdicts of models on items, stored next to their folders, so that models can be compared."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pandas as pd

from biasloop.store.atomic import written_whole

VerdictSet = Literal["oof", "stop"]
"""Out-of-fold verdicts on the items that it learned from, or verdicts on the stop set."""


def flag_columns(labels: Sequence[str]) -> list[str]:
    """Names of the columns that hold verdicts, one per label."""
    return [f"flag_{name}" for name in labels]


def proba_columns(labels: Sequence[str]) -> list[str]:
    """Names of the columns that hold probabilities, one per label."""
    return [f"proba_{name}" for name in labels]


def write_verdicts(
    models: Path, model_id: str, verdict_set: VerdictSet, table: pd.DataFrame
) -> None:
    """Stores a table with a row per item; `models` is the folder of all models."""
    with written_whole(verdicts_path(models, model_id, verdict_set)) as temporary:
        table.to_parquet(temporary)


def read_verdicts(models: Path, model_id: str, verdict_set: VerdictSet) -> pd.DataFrame | None:
    """The stored table; None for a model without one."""
    path = verdicts_path(models, model_id, verdict_set)
    return pd.read_parquet(path) if path.exists() else None


def verdicts_path(models: Path, model_id: str, verdict_set: VerdictSet) -> Path:
    """The file of the table, whether or not it exists."""
    return models / f"{model_id}.{verdict_set}.parquet"
