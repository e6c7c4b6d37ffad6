"""Heavy work in a child process of its own: the parent's side (R11)."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

from biasloop import errors
from biasloop.errors import BiasloopError, JobError

Heartbeat = Callable[[], None]
"""Renews the lease; raises LostLease when somebody else has it."""

BEAT_SECONDS = 1.0
POLL_SECONDS = 0.05


def no_heartbeat() -> None:
    """For work that holds no lease."""


def job_folder(base: Path, job: Mapping[str, Any], data: bytes = b"") -> Path:
    """The folder under `base` for this very job on this very data, if any, in its data.parquet.

    So a retry takes over what a killed attempt left only if nothing has changed since: no import,
    takedown, setting or late vote.
    """
    key = blake2b(json.dumps(job, sort_keys=True).encode() + data, digest_size=8).hexdigest()
    folder = base / key
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if data and not (folder / "data.parquet").exists():
            beside = folder / "data.tmp"
            beside.write_bytes(data)
            beside.rename(folder / "data.parquet")
    return folder


def run_job(
    folder: Path, job: Mapping[str, Any], heartbeat: Heartbeat = no_heartbeat
) -> dict[str, Any]:
    """Runs a job of `biasloop.rounds.jobs` in a child process and returns its result.

    A result that is there already is returned as it is, so the same step can run again. Raises
    the biasloop error that the child raised, or JobError with the end of its log.
    """
    result = folder / "result.json"
    if not result.exists():
        with _writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "error.json").unlink(missing_ok=True)
            (folder / "job.json").write_text(json.dumps(job), "utf-8")
        ended = _wait_for_child(folder, heartbeat)
        if not result.exists():
            raise _failure(folder, ended)
    found: dict[str, Any] = json.loads(result.read_text("utf-8"))
    return found


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
    with (folder / "log").open("ab") as log:
        # The pipe stays open as long as this process lives; its end tells the child to stop.
        child = subprocess.Popen(
            [sys.executable, "-m", "biasloop.rounds.jobs", str(folder)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
        )
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


def _failure(folder: Path, ended: int) -> BiasloopError:
    told = folder / "error.json"
    if told.exists() and (said := told.read_text("utf-8")):
        error = json.loads(said)
        kind: type[BiasloopError] = getattr(errors, error["type"], JobError)
        return kind(error["message"])
    log = folder / "log"
    tail = log.read_text("utf-8", "replace")[-800:].strip() or "it wrote no log"
    how = f" (signal {-ended})" if ended < 0 else ""
    free = shutil.disk_usage(folder).free / 2**20
    return JobError(
        f"the child process in {folder} ended without a result{how}, with {free:.0f} MB free on "
        f"the disk; its log ends: {tail}"
    )
