"""EXPANDED -> SCORED: what the strategy needs is on disk for every item of the pool."""

from pathlib import Path

from biasloop.domain.model import ModelVersion
from biasloop.domain.round import Done
from biasloop.ports import Pool
from biasloop.process import Heartbeat, job_folder, run_job


def score(
    *,
    pool: Pool,
    pool_folder: Path,
    model: ModelVersion | None,
    model_folder: Path | None,
    scores_folder: Path,
    work_folder: Path,
    heartbeat: Heartbeat,
) -> Done:
    """Fixes `pool_rows` and scores them with the newest finished model, if there is one."""
    rows = len(pool)
    if model is None or model_folder is None:
        return Done(facts={"pool_rows": rows, "scored_with": None})
    job = {
        "kind": "score",
        "classifier": model.classifier,
        "model": str(model_folder),
        "pool": str(pool_folder),
        "pool_rows": rows,
        "out": str(scores_folder / model.id),
    }
    run_job(job_folder(work_folder, job), job, heartbeat)
    return Done(facts={"pool_rows": rows, "scored_with": model.id})
