"""small-text's stopping criteria, replayed over the last models' verdicts on the stop set.

Their thresholds are small-text's own. They take one class per item; a multi-label verdict is passed
to them as one binary class per item and label.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from biasloop.domain.measure.stopping import (
    ONE_VERDICT,
    Criterion,
    CriterionName,
    gives_one_verdict,
)
from biasloop.rounds.steps.stored_verdicts import flag_columns, labels_judged, proba_columns

WINDOW = 3
"""Number of steps from one model to the next that kappa and delta_f take into account."""


def stability(
    tables: Sequence[pd.DataFrame], labels: Sequence[str], multi: bool
) -> list[Criterion]:
    """The result of each criterion: `stop` is None if the verdicts cannot tell.

    `tables` hold the verdicts of one model each, the newest model's last; the last one also has
    probabilities, and whether an item is `labelled`. Models are compared on the items that all
    tables hold, and only as long as they judge the same labels, those of the scheme of today.
    """
    import small_text  # here, since it takes seconds and loads torch

    tables = align(_with_same_labels(tables, labels))
    flags = [table[flag_columns(labels)].to_numpy(bool) for table in tables[-1 - WINDOW :]]
    if unsuited := _why_no_comparison(flags):
        return [Criterion(name, None, unsuited) for name in _names(multi)]
    cells = [model_flags.ravel().astype(int) for model_flags in flags]
    classes = [model_flags.argmax(axis=1) for model_flags in flags]
    rows = [csr_matrix(model_flags) for model_flags in flags]
    k = len(labels)
    criteria = [
        _replay(
            "kappa",
            small_text.KappaAverage(2 if multi else k, window_size=WINDOW),
            cells if multi else classes,
            WINDOW,
            "the last models agree with each other by a mean kappa of 0.99 or more",
        ),
        _replay(
            "delta_f",
            small_text.DeltaFScore(2, window_size=WINDOW),
            cells,
            WINDOW,
            "from each of the last models to the next F1 changed by less than 0.05, as predicted",
        ),
        _replay(
            "change",
            small_text.ClassificationChange(k),
            rows if multi else classes,
            1,
            "the newest model gives every item the same verdict as the one before",
        ),
    ]
    if not multi:  # a rare label is nearly always certainly absent, which hides doubt about others
        criterion = small_text.OverallUncertainty(k)
        proba = tables[-1][proba_columns(labels)].to_numpy(float)
        unlabelled = np.flatnonzero(~tables[-1]["labelled"].to_numpy(bool))
        stop = len(unlabelled) > 0 and criterion.stop(proba=proba, indices_stopping=unlabelled)
        description = "the mean entropy of unlabelled items is below 0.05"
        criteria.append(Criterion("uncertainty", bool(stop), description))
    return criteria


def _names(multi: bool) -> tuple[CriterionName, ...]:
    return (
        ("kappa", "delta_f", "change") if multi else ("kappa", "delta_f", "change", "uncertainty")
    )


def _with_same_labels(
    tables: Sequence[pd.DataFrame], labels: Sequence[str]
) -> Sequence[pd.DataFrame]:
    """The last tables, as far back as they judge exactly these labels."""
    judge_them = [labels_judged(table) == set(labels) for table in tables]
    others = [number for number, same in enumerate(judge_them, 1) if not same]
    return tables[max(others, default=0) :]


def _why_no_comparison(flags: Sequence[NDArray[np.bool_]]) -> str | None:
    """Why models with these verdicts cannot be compared; None if they can."""
    if not flags:
        return "cannot tell: the newest model does not judge the labels of today; the next one will"
    return ONE_VERDICT if any(map(gives_one_verdict, flags)) else None


def align(tables: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """Reduces every table to the items that all of them hold, in the same order."""
    if not tables:
        return []
    common = set.intersection(*(set(table["item_id"]) for table in tables))
    return [
        table[table["item_id"].isin(common)].sort_values("item_id", ignore_index=True)
        for table in tables
    ]


def _replay(
    name: CriterionName, criterion: Any, states: Sequence[Any], steps: int, description: str
) -> Criterion:
    """Feeds the states to a new criterion, which needs at least `steps` + 1 of them."""
    if len(states) <= steps:
        return Criterion(
            name,
            None,
            f"{description} ({steps + 1} models with the same labels needed, {len(states)} so far)",
        )
    with np.errstate(invalid="ignore"):  # neither model flags anything: 0/0, which does not stop
        *_, stop = [criterion.stop(predictions=state) for state in states]
    return Criterion(name, bool(stop), description)
