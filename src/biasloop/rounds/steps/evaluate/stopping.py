"""Whether more labels are worth their cost: criteria over the last models, on train items only."""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from biasloop.domain.batch import Rows
from biasloop.domain.item import Origin
from biasloop.domain.label import BY_PEOPLE
from biasloop.domain.measure.stopping import (
    ONE_VERDICT,
    Advice,
    Criterion,
    StoppingRule,
    advise,
    gain_criterion,
    gives_one_verdict,
)
from biasloop.domain.model import ModelVersion
from biasloop.domain.split import Split
from biasloop.ports import Pool
from biasloop.rounds.steps.evaluate.context import EvaluationContext
from biasloop.rounds.steps.evaluate.out_of_fold import compare_out_of_fold, out_of_fold_flags
from biasloop.rounds.steps.evaluate.stability import WINDOW
from biasloop.rounds.steps.stored_verdicts import verdicts_path

STOP_SET = 1000
"""Number of items that every model predicts, to see how much verdicts still change (Bloodgood and
Vijay-Shanker 2009, "A method for stopping active learning based on stabilizing predictions")."""


def stopping_advice(
    model: ModelVersion,
    earlier: Sequence[str],
    stability: Sequence[Criterion],
    stopping: StoppingRule,
    context: EvaluationContext,
) -> Advice:
    """The advice after this model; `earlier` are the ids of the models of earlier rounds, oldest
    first, `stability` the criteria on the stop set.

    Gain is measured on people's labels alone: seeds are so numerous that what a round teaches about
    real ads would not show.
    """
    before = earlier[-stopping.rounds] if len(earlier) >= stopping.rounds else None
    compared = before and compare_out_of_fold(before, model.id, BY_PEOPLE, context)
    gain = gain_criterion(compared or None, stopping)
    if gain.stop and gives_one_verdict(out_of_fold_flags(model.id, context)):
        gain = Criterion("gain", None, ONE_VERDICT)
    return advise(model.id, [gain, *stability], stopping.needs)


def stop_set(pool: Pool) -> Rows:
    """Rows of real train items, at most STOP_SET: those with the smallest text hashes, which is a
    random sample that hardly changes as the pool grows."""
    eligible = (
        (pool.column("split") == Split.TRAIN)
        & (pool.column("origin") == Origin.REAL)
        & ~pool.column("erased")
    )
    rows: Rows = np.flatnonzero(eligible)
    _, first = np.unique(pool.column("text_hash")[rows], return_index=True)
    return np.sort(rows[first[:STOP_SET]])


def stop_frame(pool: Pool, labelled: Collection[str]) -> pd.DataFrame:
    """The frame of the stop set for a job; `labelled` are the ids of items with a label."""
    rows = stop_set(pool)
    ids = pool.column("id")[rows]
    return pd.DataFrame({"row": rows, "item_id": ids, "labelled": np.isin(ids, list(labelled))})


def earlier_verdicts(models: Path, earlier: Sequence[str]) -> tuple[Path, ...]:
    """The tables of verdicts on the stop set by the last models before this one."""
    paths = [verdicts_path(models, model, "stop") for model in earlier[-WINDOW:]]
    return tuple(path for path in paths if path.exists())
