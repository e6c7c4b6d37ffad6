"""A copy of a workspace, taken while it runs. The copy is a workspace itself.

The ledger is copied first, so that whatever it names (items, models, tasks) is in the files copied
after it. Annotations made meanwhile reach the copy with its first poll of Label Studio, and
`biasloop reconcile` corrects the rest.
"""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from biasloop.errors import WorkspaceError, reason
from biasloop.store.atomic import written_whole
from biasloop.store.shards import writer_lock
from biasloop.workspace.layout import Layout

LEDGER = "ledger.db"
REPRODUCIBLE = ("features", "scores", "work", "exports")
"""Folders that are left out, since everything in them can be made again."""
DATABASE_SUFFIXES = (".db", ".sqlite3")
SIDECAR_SUFFIXES = ("-wal", "-shm", "-journal")
"""Files that SQLite keeps next to a database; the copied database includes their content."""
TEMPORARY_SUFFIXES = (".tmp", ".lock", ".pid", ".new", ".part")
IGNORED_SUFFIXES = (*SIDECAR_SUFFIXES, *TEMPORARY_SUFFIXES)
LOCK_SECONDS = 600.0


def back_up(layout: Layout, to: Path, progress: Callable[[str], None]) -> int:
    """Copies the workspace to the new folder `to`; returns the size of the copy in bytes.

    A ledger outside the workspace (PostgreSQL) is not copied. `progress` is called with the name of
    each file or folder before it is copied. Raises WorkspaceError when `to` exists or is inside the
    workspace, or when something cannot be read or written; an unfinished copy is removed.
    """
    if to.exists():
        raise WorkspaceError(f"{to} exists already; give a new folder")
    if layout.folder in to.resolve().parents:
        raise WorkspaceError(f"{to} is inside the workspace; give a folder outside it")
    try:
        with written_whole(to) as temporary:
            temporary.mkdir(parents=True, mode=0o700)
            names = sorted(path.name for path in layout.folder.iterdir())
            for name in sorted(names, key=lambda name: name != LEDGER):
                if name not in REPRODUCIBLE and not name.endswith(IGNORED_SUFFIXES):
                    progress(name)
                    _copy(layout, name, temporary)
    except (OSError, sqlite3.Error) as error:
        why = reason(error) if isinstance(error, OSError) else error
        raise WorkspaceError(
            f"the backup to {to} failed: {why}; check free space and permissions, then try again"
        ) from error
    return sum(path.stat().st_size for path in to.rglob("*") if path.is_file())


def _copy(layout: Layout, name: str, to: Path) -> None:
    source = layout.folder / name
    if source == layout.pool:
        with writer_lock(source, LOCK_SECONDS):  # imports wait until the copy is done
            _copy_tree(source, to / name)
    elif source.is_dir():
        _copy_tree(source, to / name)
    else:
        _copy_file(str(source), str(to / name))


def _copy_tree(source: Path, to: Path) -> None:
    ignored = shutil.ignore_patterns(*(f"*{suffix}" for suffix in IGNORED_SUFFIXES), "*.log")
    shutil.copytree(source, to, ignore=ignored, copy_function=_copy_file)


def _copy_file(source: str, to: str) -> str:
    """Copies a file; a database through SQLite, for a consistent copy while others write."""
    if not source.endswith(DATABASE_SUFFIXES):
        return shutil.copy2(source, to)
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as database,
        closing(sqlite3.connect(to)) as copy,
    ):
        database.backup(copy)
    return to
