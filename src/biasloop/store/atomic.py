"""Atomic writes: a file or folder appears whole or not at all, even if the writer is killed."""

import glob
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

DAY = 24 * 3600.0


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yields a temporary path in the same folder; the file or folder written there is renamed to
    `path` at the end of the block.

    If the block raises, `path` is unchanged and the temporary file or folder is removed. A folder
    cannot replace one that is not empty: remove that at the end of the block.
    """
    remove_leftovers(path, older_than=DAY)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    _remove(temporary)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        _remove(temporary)


def write_whole(path: Path, content: str | bytes) -> None:
    """Writes a file atomically; text as UTF-8."""
    with written_whole(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def remove_leftovers(path: Path, older_than: float = 0) -> None:
    """Removes what killed writers of `path` left, if it is older than that many seconds."""
    for leftover in path.parent.glob(f"{glob.escape(path.name)}.*.tmp"):
        with suppress(FileNotFoundError):
            if time.time() - leftover.lstat().st_ctime > older_than:
                _remove(leftover)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
