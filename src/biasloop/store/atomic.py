"""Files and folders that appear whole or not at all, whenever the writer is killed."""

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
    """A temporary path in the same folder, to write a file or a folder to; what was written takes
    the place of `path` at the end of the block.

    When the block raises, `path` is as it was and nothing else is left. A folder does not replace
    another that has something in it: remove the old one at the end of the block.
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
    """Writes a file, text as UTF-8."""
    with written_whole(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def remove_leftovers(path: Path, older_than: float = 0) -> None:
    """Removes what killed writers of `path` left behind, if it is that many seconds old."""
    for leftover in path.parent.glob(f"{glob.escape(path.name)}.*.tmp"):
        with suppress(FileNotFoundError):
            if time.time() - leftover.lstat().st_ctime > older_than:
                _remove(leftover)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
