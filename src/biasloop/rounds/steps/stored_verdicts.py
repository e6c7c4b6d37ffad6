"""What a model said of items, kept beside its folder, so that later models are compared with it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pandas as pd

from biasloop.store.atomic import written_whole

VerdictSet = Literal["oof", "stop"]
"""Out-of-fold verdicts on what it learned from, or verdicts on the stop set."""


def flag_columns(labels: Sequence[str]) -> list[str]:
    """Names of the columns that hold verdicts, one per label."""
    return [f"flag_{name}" for name in labels]


def proba_columns(labels: Sequence[str]) -> list[str]:
    """Names of the columns that hold probabilities, one per label."""
    return [f"proba_{name}" for name in labels]


def write_verdicts(models: Path, model_id: str, what: VerdictSet, table: pd.DataFrame) -> None:
    """Keeps a table with a row per item; `models` is the folder of all models."""
    with written_whole(verdicts_path(models, model_id, what)) as temporary:
        table.to_parquet(temporary)


def read_verdicts(models: Path, model_id: str, what: VerdictSet) -> pd.DataFrame | None:
    """The table; None for a model that kept none."""
    path = verdicts_path(models, model_id, what)
    return pd.read_parquet(path) if path.exists() else None


def verdicts_path(models: Path, model_id: str, what: VerdictSet) -> Path:
    """Where it is, if it is."""
    return models / f"{model_id}.{what}.parquet"
