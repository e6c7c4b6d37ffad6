"""Work of which only one may run in a workspace at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from biasloop.errors import WorkspaceError


@contextmanager
def only_one(lock_file: Path, running: str) -> Iterator[None]:
    """Excludes other holders of this lock. The system releases it when its holder dies.

    Raises WorkspaceError with the message `running` when somebody else holds it.
    """
    lock = FileLock(lock_file, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise WorkspaceError(running) from None
    try:
        yield
    finally:
        lock.release()
