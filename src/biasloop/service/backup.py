"""Copies a workspace, and remembers where the copy is."""

from collections.abc import Callable
from pathlib import Path

from biasloop.service.service import Service
from biasloop.store.control import Bookmark
from biasloop.workspace.backup import back_up


def make_backup(service: Service, to: Path, progress: Callable[[str], None]) -> int:
    """Copies the workspace to the new folder `to` (see biasloop.workspace.backup), and remembers it
    for takedowns. Returns the size of the copy in bytes."""
    known = service.ledger.control.bookmark(Bookmark.BACKUPS) or []
    # First, so that neither a kill nor the copy itself forgets where the copy is.
    service.ledger.control.set_bookmark(Bookmark.BACKUPS, [*known, str(to.resolve())])
    try:
        return back_up(service.layout, to, progress)
    except BaseException:
        service.ledger.control.set_bookmark(Bookmark.BACKUPS, known)
        raise
