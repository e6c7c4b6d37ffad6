"""Whether it still pays to ask people: criteria over the last models, on train items only."""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from biasloop.domain.batch import Rows
from biasloop.domain.item import Origin
from biasloop.domain.label import LabelSource
from biasloop.domain.measure.stopping import Advice, Criterion, Stopping, advise, gain_criterion
from biasloop.domain.model import ModelVersion
from biasloop.domain.split import Split
from biasloop.ports import Pool
from biasloop.rounds.child import job_folder, run_job
from biasloop.rounds.steps.evaluate.context import EvaluationContext
from biasloop.rounds.steps.evaluate.out_of_fold import compare_out_of_fold
from biasloop.rounds.steps.evaluate.stability import WINDOW
from biasloop.rounds.steps.kept_verdicts import keep, kept_path

STOP_SET = 1000
"""Items that every model judges, to see how much verdicts still change (Bloodgood and
Vijay-Shanker 2009, "A method for stopping active learning based on stabilizing predictions")."""


def stopping_advice(
    model: ModelVersion,
    earlier: Sequence[str],
    labelled: Collection[str],
    stopping: Stopping,
    context: EvaluationContext,
) -> Advice:
    """What the criteria say after this model; `earlier` are the ids of the models of the rounds
    before, oldest first, `labelled` those of the items that people spoke on.

    Gain is measured on people's labels alone: seeds are many, and what a round teaches about real
    ads would drown in them.
    """
    before = earlier[-stopping.rounds] if len(earlier) >= stopping.rounds else None
    compared = before and compare_out_of_fold(before, model.id, (LabelSource.HUMAN,), context)
    criteria = [gain_criterion(compared or None, stopping)]
    rows = stop_set(context.pool)
    if len(rows):
        criteria += _stability(model, earlier, rows, labelled, context)
    return advise(model.id, criteria, stopping.needs)


def stop_set(pool: Pool) -> Rows:
    """Rows of real train items, at most STOP_SET: those with the smallest text hashes, which is a
    random sample that hardly changes as the pool grows."""
    fits = (
        (pool.column("split") == Split.TRAIN)
        & (pool.column("origin") == Origin.REAL)
        & ~pool.column("erased")
    )
    rows: Rows = np.flatnonzero(fits)
    _, first = np.unique(pool.column("text_hash")[rows], return_index=True)
    return np.sort(rows[first[:STOP_SET]])


def _stability(
    model: ModelVersion,
    earlier: Sequence[str],
    rows: Rows,
    labelled: Collection[str],
    context: EvaluationContext,
) -> list[Criterion]:
    ids = context.pool.column("id")[rows]
    asked = pd.DataFrame({"row": rows, "item_id": ids, "labelled": np.isin(ids, list(labelled))})
    paths = [kept_path(context.models, name, "stop") for name in earlier[-WINDOW:]]
    job = {
        "kind": "stopping",
        "model": context.model(model),
        "labels": list(context.scheme.labels),
        "multi": context.scheme.multi,
        "earlier": [str(path) for path in paths if path.exists()],
        **context.data,
    }
    work = job_folder(context.work_folder, job, asked.to_parquet())
    result = run_job(work, job, context.heartbeat)
    context.heartbeat()  # who was taken over must not touch what who took over keeps
    keep(context.models, model.id, "stop", pd.read_parquet(work / "stop.parquet"))
    return [Criterion(**found) for found in result["criteria"]]
