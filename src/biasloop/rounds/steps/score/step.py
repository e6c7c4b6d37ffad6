"""EXPANDED -> SCORED: stores what the strategy needs for the items of the pool."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from biasloop.domain.batch import Rows
from biasloop.domain.model import ModelVersion
from biasloop.domain.round import Done
from biasloop.ports import Pool
from biasloop.rounds.child import Heartbeat, job_folder, run_job
from biasloop.rounds.steps.score.handover import ScoreJob

CandidateRows = Callable[[int], tuple[Rows, Rows]]
"""Takes a number of pool rows; returns the rows below it that the strategy may choose, and the
labelled ones that it may compare them with."""

KEPT_MODELS = 2
"""Number of models whose scores stay on disk: the newest, and one that a live round may read."""


def score(
    *,
    pool: Pool,
    pool_folder: Path,
    model: ModelVersion | None,
    model_folder: Path | None,
    features_folder: Path,
    scores_folder: Path,
    needs: frozenset[str],
    multi: bool,
    cascade: int,
    candidate_rows: CandidateRows,
    seed: int,
    work_folder: Path,
    heartbeat: Heartbeat,
) -> Done:
    """Fixes `pool_rows` and scores these rows with the newest finished model, if there is one. Only
    what the strategy `needs` is stored (R10).

    A slow classifier scores only the `cascade` items that a linear one doubts most (see
    rounds.steps.score.cascade). Raises ClassifierError when the model cannot give what is needed.
    """
    rows = len(pool)
    if model is None or model_folder is None:
        return Done(facts={"pool_rows": rows, "scored_with": None})
    job = ScoreJob(
        classifier=model.classifier,
        model=model_folder,
        pool=pool_folder,
        pool_rows=rows,
        features=features_folder,
        needs=tuple(sorted(needs)),
        multi=multi,
        cascade=cascade,
        seed=seed,
        out=scores_folder / model.id,
    )
    candidates, labelled = candidate_rows(rows)
    always = np.repeat([False, True], [len(candidates), len(labelled)])
    frame = pd.DataFrame({"row": np.concatenate([candidates, labelled]), "always": always})
    result = run_job(job_folder(work_folder, job, candidates=frame), job, heartbeat)
    _delete_old_scores(scores_folder)
    facts = {"pool_rows": rows, "scored_with": model.id}
    if "cascade" in result:
        facts["cascade"] = result["cascade"]
    return Done(facts=facts)


def _delete_old_scores(scores_folder: Path) -> None:
    by_age = sorted(scores_folder.iterdir(), key=lambda folder: folder.stat().st_mtime)
    for folder in by_age[:-KEPT_MODELS]:
        shutil.rmtree(folder, ignore_errors=True)
