"""Exports in the workspace that held an ad are deleted with it; others are named."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from biasloop.errors import WorkspaceError
from biasloop.reports.export.folder import new_folder
from biasloop.service.past_exports import delete_exports, exports_that_held, unrecorded_exports
from biasloop.store.export_log import ExportLog
from biasloop.workspace.layout import Layout

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "workspace")


def made(layout: Layout, folder: Path, *ads: str, minute: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    ExportLog(layout.export_log).record(folder, ads, NOW + timedelta(minutes=minute))
    return folder


def test_those_in_the_workspace_are_deleted(layout: Layout, tmp_path: Path) -> None:
    inside = made(layout, layout.exports / "a", "ad-1")
    elsewhere = made(layout, layout.folder / "mine", "ad-1", "ad-2", minute=1)
    given = made(layout, tmp_path / "given", "ad-1", minute=2)
    other = made(layout, layout.exports / "b", "ad-2", minute=3)
    delete_exports(layout, "ad-1")
    assert [path.exists() for path in (inside, elsewhere, given, other)] == [
        False,
        False,
        True,
        True,
    ]
    held = [(export.folder, export.gone) for export in exports_that_held(layout, "ad-1")]
    assert held == [(str(inside), True), (str(elsewhere), True), (str(given), False)]


def test_a_folder_that_was_written_again_without_the_ad_stays(layout: Layout) -> None:
    folder = made(layout, layout.exports / "a", "ad-1")
    made(layout, folder, "ad-2", minute=1)
    delete_exports(layout, "ad-1")
    assert folder.exists()
    delete_exports(layout, "ad-2")
    assert not folder.exists()


def test_a_workspace_that_was_moved_or_copied_knows_its_exports(layout: Layout) -> None:
    made(layout, layout.folder / "mine", "ad-1")
    copied = Layout(Path(shutil.copytree(layout.folder, layout.folder.with_name("copied"))))
    moved = Layout(layout.folder.rename(layout.folder.with_name("moved")))
    for there in (copied, moved):
        delete_exports(there, "ad-1")
        assert not (there.folder / "mine").exists()
        (export,) = exports_that_held(there, "ad-1")
        assert (export.folder, export.gone) == (str(there.folder / "mine"), True)


def test_exports_without_a_record_are_named(layout: Layout) -> None:
    made(layout, layout.exports / "a", "ad-1")
    (layout.exports / "of-before").mkdir()
    assert unrecorded_exports(layout) == [str(layout.exports / "of-before")]


def test_what_a_killed_export_left_is_deleted(layout: Layout) -> None:
    leftover = layout.exports / "a.00ff.tmp"
    leftover.mkdir(parents=True)
    (leftover / "ads.csv").write_text("ad-1")
    delete_exports(layout, "ad-1")
    assert not leftover.exists()


def test_an_export_during_a_takedown_begins_again(layout: Layout) -> None:
    folder = layout.exports / "a"
    with (
        pytest.raises(WorkspaceError, match="taken down during the export"),
        new_folder(folder, force=False),
    ):
        delete_exports(layout, "ad-1")
    assert not folder.exists()
