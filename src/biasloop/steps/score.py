"""EXPANDED -> SCORED: what the strategy needs is on disk for every item of the pool."""

import shutil
from pathlib import Path

from biasloop.domain.model import ModelVersion
from biasloop.domain.round import Done
from biasloop.ports import Pool
from biasloop.process import Heartbeat, job_folder, run_job

KEPT_MODELS = 2
"""Models whose scores stay on disk: the newest, and the one a live round may still read."""


def score(
    *,
    pool: Pool,
    pool_folder: Path,
    model: ModelVersion | None,
    model_folder: Path | None,
    features_folder: Path,
    scores_folder: Path,
    needs: frozenset[str],
    work_folder: Path,
    heartbeat: Heartbeat,
) -> Done:
    """Fixes `pool_rows` and scores them with the newest finished model, if there is one: what the
    strategy `needs`, no more (R10). Raises ClassifierError when the model cannot give that."""
    rows = len(pool)
    if model is None or model_folder is None:
        return Done(facts={"pool_rows": rows, "scored_with": None})
    job = {
        "kind": "score",
        "classifier": model.classifier,
        "model": str(model_folder),
        "pool": str(pool_folder),
        "pool_rows": rows,
        "features": str(features_folder),
        "needs": sorted(needs),
        "out": str(scores_folder / model.id),
    }
    run_job(job_folder(work_folder, job), job, heartbeat)
    _forget_old(scores_folder)
    return Done(facts={"pool_rows": rows, "scored_with": model.id})


def _forget_old(scores_folder: Path) -> None:
    by_age = sorted(scores_folder.iterdir(), key=lambda folder: folder.stat().st_mtime)
    for folder in by_age[:-KEPT_MODELS]:
        shutil.rmtree(folder, ignore_errors=True)
