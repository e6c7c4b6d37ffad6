"""The exports that held an ad which is taken down: those in the workspace are deleted."""

from dataclasses import dataclass
from datetime import datetime
from shutil import rmtree

from biasloop.store.export_log import ExportLog
from biasloop.workspace.layout import Layout

LEFTOVER = ".tmp"
"""Suffix of what a killed export leaves."""


@dataclass(frozen=True, slots=True)
class HeldExport:
    """An export that held the ad: when it was made, the folder it was written to, and whether it
    is no longer there."""

    at: datetime
    folder: str
    gone: bool


def delete_exports(layout: Layout, ad_id: str) -> None:
    """Deletes the exports within the workspace that held the ad, and what killed exports left,
    which may hold it too. A folder that was written to again is judged by the newest export alone.
    """
    for leftover in layout.exports.glob(f"*{LEFTOVER}"):
        rmtree(leftover, ignore_errors=True)
    log = ExportLog(layout.export_log)
    newest = {export.folder: export for export in log.all()}
    for export in log.holding(ad_id):
        inside = layout.folder.resolve() in export.folder.parents
        if inside and newest[export.folder] == export:
            rmtree(export.folder, ignore_errors=True)


def exports_that_held(layout: Layout, ad_id: str) -> list[HeldExport]:
    """The recorded exports that held the ad, oldest first; see also `unrecorded_exports`."""
    return [
        HeldExport(export.at, str(export.folder), gone=not export.folder.exists())
        for export in ExportLog(layout.export_log).holding(ad_id)
    ]


def unrecorded_exports(layout: Layout) -> list[str]:
    """The folders of exports in the workspace of which no record says which ads they hold: they are
    from versions that kept no record."""
    recorded = {export.folder for export in ExportLog(layout.export_log).all()}
    folders = (path.resolve() for path in layout.exports.glob("*"))
    return sorted(str(folder) for folder in folders if folder not in recorded)
