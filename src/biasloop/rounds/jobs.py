"""The child's side of heavy work: `python -m biasloop.rounds.jobs FOLDER` (R11).

A child reads job.json in its folder and writes result.json there. It never opens the ledger. When
its parent is gone it ends at its next checkpoint; the next parent starts the job again, and a lock
on the folder makes the new child wait until the old one has ended.

With `--preload MODULES` in place of the folder, the process is a spare child: it loads what jobs
need and then reads the name of its folder from standard input (see biasloop.rounds.spare).
"""

import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from filelock import FileLock
from pydantic import TypeAdapter

from biasloop.errors import BiasloopError, describe_error
from biasloop.ports import Checkpoint
from biasloop.rounds.results import RESULT_FILE, Result, read_result
from biasloop.rounds.steps.evaluate.handover import EvaluateJob
from biasloop.rounds.steps.expand.handover import ExpandJob
from biasloop.rounds.steps.score.handover import ScoreJob
from biasloop.rounds.steps.train.handover import ReviewJob, TrainJob
from biasloop.store.atomic import write_whole
from biasloop.tuning.handover import TuneJob

_STEPS = "biasloop.rounds.steps"

JOBS: dict[type[Any], str] = {
    ExpandJob: f"{_STEPS}.expand.job:expand",
    ScoreJob: f"{_STEPS}.score.job:score",
    TrainJob: f"{_STEPS}.train.job:train",
    ReviewJob: f"{_STEPS}.train.job:review",
    EvaluateJob: f"{_STEPS}.evaluate.job:evaluate",
    TuneJob: "biasloop.tuning.job:tune",
}
"""The function that does each job, as "module:function", so that a child imports only what its own
job needs."""

BY_NAME = {job.__name__: job for job in JOBS}

ORPHANED = 3
"""Exit status of a child that has lost its parent."""


def job_from_json(text: str) -> Any:
    """The job that biasloop.rounds.child.job_to_json wrote. Raises pydantic's ValidationError, and
    KeyError for a job that is not in JOBS."""
    fields = json.loads(text)
    return TypeAdapter(BY_NAME[fields.pop("job")]).validate_python(fields)


def job_function(job: type[Any]) -> Callable[[Path, Any, Checkpoint], Result]:
    """The function that does jobs of this class (imports its module)."""
    module, _, name = JOBS[job].partition(":")
    function: Callable[[Path, Any, Checkpoint], Result] = getattr(import_module(module), name)
    return function


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
    """Runs the job of this folder; the result is written atomically."""
    checkpoint = _watch_parent()
    with FileLock(folder / "lock"):
        job = job_from_json((folder / "job.json").read_text("utf-8"))
        if read_result(folder / RESULT_FILE, job.outputs) is not None:
            return
        checkpoint()
        try:
            result = job_function(type(job))(folder, job, checkpoint)
            write_whole(folder / RESULT_FILE, json.dumps(result))
        except (BiasloopError, OSError) as error:
            traceback.print_exc()
            where = f", at work in {folder}" if isinstance(error, OSError) else ""
            report = {"type": type(error).__name__, "message": f"{describe_error(error)}{where}"}
            write_whole(folder / "error.json", json.dumps(report))
            sys.exit(1)


def wait_for_folder(preload: Sequence[str]) -> Path:
    """Imports the modules of all jobs and those of `preload`, then waits for the name of a job's
    folder and returns it; from then on output goes to the log there."""
    for module in (*(target.partition(":")[0] for target in JOBS.values()), *preload):
        import_module(module)
    name = b""
    while not name.endswith(b"\0"):
        # Byte by byte: the end of the pipe, after the name, is for the thread that watches it.
        if not (byte := os.read(0, 1)):
            sys.exit(ORPHANED)
        name += byte
    folder = Path(os.fsdecode(name[:-1]))
    log = os.open(folder / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    return folder


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--preload", modules]:
            main(wait_for_folder([module for module in modules.split(",") if module]))
        case [folder]:
            main(Path(folder))
