"""Heavy work in a child process of its own: the parent's side (R11)."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pydantic import TypeAdapter

from biasloop import errors
from biasloop.errors import BiasloopError, JobError
from biasloop.rounds.spare import start_child
from biasloop.store.atomic import write_whole

if TYPE_CHECKING:
    import pandas as pd

Heartbeat = Callable[[], None]
"""Renews the lease; raises LostLease when another process has it."""

Result = dict[str, Any]
"""What a job returns, as JSON has it."""

BEAT_SECONDS = 1.0
POLL_SECONDS = 0.05


class Job(Protocol):
    """A frozen dataclass that says what a child process does; `biasloop.rounds.jobs` lists them.

    Its fields are JSON values, paths, and dataclasses of these.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]


def no_heartbeat() -> None:
    """The heartbeat of work that holds no lease."""


def job_to_json(job: Job) -> str:
    """A job as the JSON text that its child reads; the same job gives the same text."""
    fields = TypeAdapter(type(job)).dump_python(job, mode="json")
    return json.dumps({"job": type(job).__name__, **fields}, sort_keys=True)


def job_folder(base: Path, job: Job, **frames: "pd.DataFrame") -> Path:
    """Makes the folder under `base` for exactly this job on exactly this data, with a file
    <name>.parquet for each of the `frames`.

    Its name is a hash of both, so a retry continues what a killed attempt left only if nothing has
    changed since: no import, takedown, setting or late vote. Raises JobError when the folder cannot
    be written.
    """
    data = {name: frame.to_parquet() for name, frame in sorted(frames.items())}
    key = blake2b(job_to_json(job).encode() + b"".join(data.values()), digest_size=8).hexdigest()
    folder = base / key
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in data.items():
            if not (folder / f"{name}.parquet").exists():
                write_whole(folder / f"{name}.parquet", content)
    return folder


def run_job(folder: Path, job: Job, heartbeat: Heartbeat = no_heartbeat) -> Result:
    """Runs a job of `biasloop.rounds.jobs` in a child process and returns its result.

    A result that exists already is returned as it is, so that a step can be repeated. Raises the
    biasloop error that the child raised, or JobError with the end of its log.
    """
    result = folder / "result.json"
    if not result.exists():
        with _writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "error.json").unlink(missing_ok=True)
            (folder / "job.json").write_text(job_to_json(job), "utf-8")
        status = _wait_for_child(folder, heartbeat)
        if not result.exists():
            raise _failure(folder, status)
    returned: Result = json.loads(result.read_text("utf-8"))
    return returned


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise JobError(
            f"cannot write {folder}: {error.strerror or error}; check free space and rights"
        ) from error


def _wait_for_child(folder: Path, heartbeat: Heartbeat) -> int:
    """The child's exit status; negative: the signal that ended it."""
    child = start_child(folder)
    try:
        beat = time.monotonic()
        while child.poll() is None:
            time.sleep(POLL_SECONDS)
            if time.monotonic() - beat > BEAT_SECONDS:
                heartbeat()
                beat = time.monotonic()
        return child.returncode
    finally:
        child.kill()
        child.wait()
        if child.stdin:
            child.stdin.close()


def _failure(folder: Path, status: int) -> BiasloopError:
    """The error of a child that ended with this exit status and no result."""
    report = folder / "error.json"
    if report.exists() and (text := report.read_text("utf-8")):
        error = json.loads(text)
        kind: type[BiasloopError] = getattr(errors, error["type"], JobError)
        return kind(error["message"])
    log = folder / "log"
    tail = log.read_text("utf-8", "replace")[-800:].strip() or "it wrote no log"
    how = f" (signal {-status})" if status < 0 else ""
    free = shutil.disk_usage(folder).free / 2**20
    return JobError(
        f"the child process in {folder} ended without a result{how}, with {free:.0f} MB free on "
        f"the disk; its log ends: {tail}"
    )
