"""A copy of a workspace, taken while it runs. The copy is a workspace itself.

The ledger comes first: what it names (items, models, tasks) is in the copies made after it. What
people label meanwhile, the first poll of the copy brings in again from Label Studio, and
`biasloop reconcile` mends the rest.
"""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from biasloop.errors import WorkspaceError
from biasloop.store.atomic import written_whole
from biasloop.store.shards import writer_lock
from biasloop.workspace.layout import Layout

LEDGER = "ledger.db"
REMADE = ("features", "scores", "work", "exports")
"""Folders that are left out: all in them can be made again."""
DATABASES = (".db", ".sqlite3")
BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database; the copy of the database holds it already."""
TRANSIENT = (".tmp", ".lock", ".new", ".part")
LOCK_SECONDS = 600.0


def back_up(layout: Layout, to: Path, tell: Callable[[str], None]) -> int:
    """Copies the workspace to the new folder `to`; returns the bytes of the copy.

    A ledger that is no file of the workspace is not in it. Raises WorkspaceError when `to` is
    there already or lies inside the workspace, or when something cannot be read or written; then
    nothing is left of the copy.
    """
    if to.exists():
        raise WorkspaceError(f"{to} is there already; give a new folder")
    if layout.folder in to.resolve().parents:
        raise WorkspaceError(f"{to} lies inside the workspace; give a folder outside of it")
    try:
        with written_whole(to) as temporary:
            temporary.mkdir(parents=True, mode=0o700)
            names = sorted(path.name for path in layout.folder.iterdir())
            for name in sorted(names, key=lambda name: name != LEDGER):
                if name not in REMADE and not name.endswith((*BESIDE, *TRANSIENT)):
                    tell(name)
                    _copy(layout, name, temporary)
    except (OSError, sqlite3.Error) as error:
        raise WorkspaceError(
            f"the backup to {to} failed: {error}; check free space and rights, then try again"
        ) from error
    return sum(path.stat().st_size for path in to.rglob("*") if path.is_file())


def _copy(layout: Layout, name: str, to: Path) -> None:
    source = layout.folder / name
    if source == layout.pool:
        with writer_lock(source, LOCK_SECONDS):  # an import waits for us
            _copy_tree(source, to / name)
    elif source.is_dir():
        _copy_tree(source, to / name)
    else:
        _copy_file(str(source), str(to / name))


def _copy_tree(source: Path, to: Path) -> None:
    ignored = shutil.ignore_patterns(*(f"*{end}" for end in (*BESIDE, *TRANSIENT)), "*.log")
    shutil.copytree(source, to, ignore=ignored, copy_function=_copy_file)


def _copy_file(source: str, to: str) -> str:
    """A database by SQLite itself, which copies one state of it while others write."""
    if not source.endswith(DATABASES):
        return shutil.copy2(source, to)
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as database,
        closing(sqlite3.connect(to)) as copy,
    ):
        database.backup(copy)
    return to
