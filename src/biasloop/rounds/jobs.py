"""The child's side of heavy work: `python -m biasloop.rounds.jobs FOLDER` (R11).

A job reads job.json in its folder and writes result.json there. It never opens the ledger. When
its parent is gone it ends at its next checkpoint; the next parent starts it again, and a lock on
the folder makes the new child wait for the old one's end.
"""

import json
import os
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock
from pydantic import TypeAdapter

from biasloop.errors import BiasloopError, in_words
from biasloop.ports import Checkpoint
from biasloop.rounds.child import Result
from biasloop.rounds.steps.evaluate.handover import EvaluateJob
from biasloop.rounds.steps.evaluate.job import evaluate
from biasloop.rounds.steps.expand.handover import ExpandJob
from biasloop.rounds.steps.expand.job import expand
from biasloop.rounds.steps.score.handover import ScoreJob
from biasloop.rounds.steps.score.job import score
from biasloop.rounds.steps.train.handover import ReviewJob, TrainJob
from biasloop.rounds.steps.train.job import review, train
from biasloop.store.atomic import write_whole

JOBS: dict[type[Any], Callable[[Path, Any, Checkpoint], Result]] = {
    ExpandJob: expand,
    ScoreJob: score,
    TrainJob: train,
    ReviewJob: review,
    EvaluateJob: evaluate,
}
BY_NAME = {job.__name__: job for job in JOBS}

ORPHANED = 3
"""Exit status of a child that has lost its parent."""


def job_from_json(text: str) -> Any:
    """The job that biasloop.rounds.child.job_to_json wrote. Raises pydantic's ValidationError, and
    KeyError for a job that is not in JOBS."""
    fields = json.loads(text)
    return TypeAdapter(BY_NAME[fields.pop("job")]).validate_python(fields)


def _watch_parent() -> Checkpoint:
    """A checkpoint that ends this process once the pipe from its parent is closed."""
    orphaned = threading.Event()

    def watch() -> None:
        # The parent never writes. Not through sys.stdin, whose lock would abort our end.
        os.read(0, 1)
        orphaned.set()

    threading.Thread(target=watch, daemon=True).start()

    def checkpoint() -> None:
        if orphaned.is_set():
            os._exit(ORPHANED)

    return checkpoint


def main(folder: Path) -> None:
    """Runs the job of this folder; the result appears whole or not at all."""
    checkpoint = _watch_parent()
    with FileLock(folder / "lock"):
        if (folder / "result.json").exists():
            return
        checkpoint()
        job = job_from_json((folder / "job.json").read_text("utf-8"))
        try:
            result = JOBS[type(job)](folder, job, checkpoint)
            write_whole(folder / "result.json", json.dumps(result))
        except (BiasloopError, OSError) as error:
            traceback.print_exc()
            where = f", at work in {folder}" if isinstance(error, OSError) else ""
            report = {"type": type(error).__name__, "message": f"{in_words(error)}{where}"}
            (folder / "error.json").write_text(json.dumps(report), "utf-8")
            sys.exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
