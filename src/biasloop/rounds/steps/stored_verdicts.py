"""Verdicts of models on items, stored next to their folders, so that models can be compared."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pandas as pd

from biasloop.domain.label import Scheme
from biasloop.rounds.steps.train.data import columns
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


def read_verdicts(path: Path, scheme: Scheme) -> pd.DataFrame | None:
    """A stored table, whose columns bear the present names of the labels; None without a file."""
    if not path.exists():
        return None
    present: dict[str, str] = {}
    for columns_of in (flag_columns, proba_columns, columns):
        former = columns_of(list(scheme.renamed))
        present |= zip(former, columns_of(list(scheme.renamed.values())), strict=True)
    return pd.read_parquet(path).rename(columns=present)


def labels_judged(table: pd.DataFrame) -> frozenset[str]:
    """The labels that a stored table has verdicts on."""
    (prefix,) = flag_columns([""])
    return frozenset(name.removeprefix(prefix) for name in table.columns if name.startswith(prefix))


def verdicts_path(models: Path, model_id: str, verdict_set: VerdictSet) -> Path:
    """The file of the table, whether or not it exists."""
    return models / f"{model_id}.{verdict_set}.parquet"
