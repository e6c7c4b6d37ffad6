"""Heavy work in a child process of its own: the parent's side (R11)."""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pydantic import TypeAdapter

from biasloop import errors
from biasloop.errors import BiasloopError, JobError
from biasloop.rounds.results import RESULT_FILE, Result, read_result
from biasloop.rounds.spare import start_child
from biasloop.store.atomic import read_if_intact, write_whole

if TYPE_CHECKING:
    import pandas as pd

Heartbeat = Callable[[], None]
"""Renews the lease; raises LostLease when another process has it."""

BEAT_SECONDS = 1.0
POLL_SECONDS = 0.05


class Job(Protocol):
    """A frozen dataclass that says what a child process does; `biasloop.rounds.jobs` lists them.

    Its fields are JSON values, paths, and dataclasses of these.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def outputs(self, folder: Path, result: Mapping[str, Any]) -> list[Path]:
        """The files and folders that belong to a result of this job in this folder."""


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
            path = folder / f"{name}.parquet"
            if read_if_intact(path, Path.read_bytes) != content:
                write_whole(path, content)
    return folder


def run_job(folder: Path, job: Job, heartbeat: Heartbeat = no_heartbeat) -> Result:
    """Runs a job of `biasloop.rounds.jobs` in a child process and returns its result.

    A result that exists already is returned as it is, so that a step can be repeated, unless one of
    its files is damaged. Raises the biasloop error that the child raised, or JobError with the end
    of its log.
    """
    result = read_result(folder / RESULT_FILE, job.outputs)
    if result is None:
        with _writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "error.json").unlink(missing_ok=True)
            write_whole(folder / "job.json", job_to_json(job))
        status = _wait_for_child(folder, heartbeat)
        result = read_result(folder / RESULT_FILE, job.outputs)
    if result is None:
        raise _failure(folder, status)
    return result


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
    if error := read_if_intact(folder / "error.json", _read_error):
        return error
    if not folder.exists():
        return JobError(
            f"the folder of the job, {folder}, was deleted while it ran, as it is when an ad is "
            "taken down; start it again"
        )
    log = read_if_intact(folder / "log", Path.read_bytes) or b""
    tail = log.decode("utf-8", "replace")[-800:].strip() or "it wrote no log"
    how = f" (signal {-status})" if status < 0 else ""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free / 2**20
    return JobError(
        f"the child process in {folder} ended without a result{how}, with {free:.0f} MB free on "
        f"the disk; its log ends: {tail}"
    )


def _read_error(path: Path) -> BiasloopError:
    """The error that a child reported."""
    error = json.loads(path.read_text("utf-8"))
    kind: type[BiasloopError] = getattr(errors, error["type"], JobError)
    return kind(error["message"])
