"""A spare child process whose imports are done, so that the next job begins at once (R11).

The imports of a child take seconds, and annotators wait for them when their queue runs low. A
long-running service therefore keeps one child ready. It is a process like any other child: it does
one job, it ends with its parent, and it touches no GPU before its job comes.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

COMMAND = (sys.executable, "-m", "biasloop.rounds.jobs")


class Spare:
    """Keeps one child waiting; `preload` are modules that it loads in addition to those of every
    job."""

    def __init__(self, preload: Sequence[str]) -> None:
        self._preload = preload
        self._lock = Lock()
        self._child = self._start()

    def take(self, folder: Path) -> subprocess.Popen[bytes] | None:
        """Gives the job of this folder to the child and returns it, or None when it has died
        meanwhile. Another one takes its place."""
        with self._lock:
            child, self._child = self._child, self._start()
        assert child.stdin is not None
        try:
            child.stdin.write(os.fsencode(folder) + b"\0")
            child.stdin.flush()
        except OSError:
            _end(child)
            return None
        return child

    def close(self) -> None:
        """Ends the waiting child."""
        with self._lock:
            _end(self._child)

    def _start(self) -> subprocess.Popen[bytes]:
        command = [*COMMAND, "--preload", ",".join(self._preload)]
        quiet = subprocess.DEVNULL  # a job's output goes to the log in its folder
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet)


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    with suppress(OSError):
        if child.stdin:
            child.stdin.close()


_spare: Spare | None = None


@contextmanager
def spare_child(preload: Sequence[str] = ()) -> Iterator[None]:
    """Keeps a spare child for the jobs that begin within the block."""
    global _spare  # noqa: PLW0603 - one for the process, whichever thread runs a job
    _spare = Spare(preload)
    try:
        yield
    finally:
        spare, _spare = _spare, None
        spare.close()


def start_child(folder: Path) -> subprocess.Popen[bytes]:
    """A child at work on the job of this folder: the spare one where there is one.

    The pipe to it stays open as long as this process lives; its end tells the child to stop.
    """
    if _spare and (child := _spare.take(folder)):
        return child
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [*COMMAND, str(folder)], stdin=subprocess.PIPE, stdout=log, stderr=log
        )
