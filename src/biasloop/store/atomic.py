"""Atomic writes: a file or folder appears whole or not at all, even if the writer is killed or the
machine loses power. Reads of files that can be made again."""

import glob
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

DAY = 24 * 3600.0

T = TypeVar("T")


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yields a temporary path in the same folder; the file or folder written there is renamed to
    `path` at the end of the block, once its content is on the disk. Every writer, also another
    thread, gets a path of its own.

    If the block raises, `path` is unchanged and the temporary file or folder is removed. A folder
    cannot replace one that is not empty: remove that at the end of the block.
    """
    remove_leftovers(path, older_than=DAY)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with errors_naming(path):
            yield temporary
            _flush_to_disk(temporary)
            temporary.replace(path)
    finally:
        _remove(temporary)


@contextmanager
def errors_naming(path: Path) -> Iterator[None]:
    """An OSError that names no file, as that of a write to an open one, names this one."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def write_whole(path: Path, content: str | bytes) -> None:
    """Writes a file atomically; text as UTF-8."""
    with written_whole(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def read_if_intact(path: Path, read: Callable[[Path], T]) -> T | None:
    """What `read` returns for a file or folder whose content can be made again; None when it is
    missing or `read` raises anything: of a damaged file it can be almost any exception. Only a
    MemoryError passes: it says nothing about the file."""
    try:
        return read(path)
    except MemoryError:
        raise
    except Exception:
        return None


def remove_leftovers(path: Path, older_than: float = 0) -> None:
    """Removes what killed writers of `path` left, if it is older than that many seconds."""
    for leftover in path.parent.glob(f"{glob.escape(path.name)}.*.tmp"):
        with suppress(FileNotFoundError):
            if time.time() - leftover.lstat().st_ctime > older_than:
                _remove(leftover)


def _flush_to_disk(path: Path) -> None:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    for file in files:
        with file.open("rb") as opened:
            os.fsync(opened.fileno())


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
