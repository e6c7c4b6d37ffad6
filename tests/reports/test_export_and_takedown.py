"""An export and a takedown at the same time: one of the two says that the export held the ad."""

import os
from pathlib import Path

import pytest

from biasloop.errors import WorkspaceError
from biasloop.reports.export import export
from biasloop.reports.export.export import write_export
from biasloop.reports.export.record import Request
from biasloop.service.service import Service
from biasloop.service.takedown import Takedown, take_down
from support.cli import Cli


@pytest.fixture
def service(cli: Cli) -> Service:
    return Service(cli.workspace)


def export_all(service: Service, folder: Path) -> None:
    request = Request(whole=True)
    write_export(service, request, folder, force=True, progress=lambda _: None)


def test_an_export_elsewhere_that_holds_an_ad_taken_down_meanwhile_is_not_made(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, new = tmp_path / "before", tmp_path / "new"
    export_all(service, before)
    held = (before / "SHA256SUMS").read_bytes()
    write_documents, taken_down = export.write_documents, []

    def write_slowly(*arguments: object) -> None:
        write_documents(*arguments)
        taken_down.append(take_down(service, f"ad-{len(taken_down) + 2}"))

    monkeypatch.setattr(export, "write_documents", write_slowly)
    for folder in (before, new):
        with pytest.raises(WorkspaceError, match="taken down during the export; export again"):
            export_all(service, folder)
    assert (before / "SHA256SUMS").read_bytes() == held
    assert [path.name for path in tmp_path.glob("*new*")] == []
    for report in taken_down:
        assert [past.folder for past in report.exports] == [str(before)]
    monkeypatch.undo()
    export_all(service, new)
    assert [past.folder for past in take_down(service, "ad-4").exports] == [str(before), str(new)]


def test_a_takedown_just_before_an_export_appears_names_it(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports: list[Takedown] = []

    def replace_late(old: Path, new: Path) -> None:
        if not reports and new == tmp_path / "late":
            reports.append(take_down(service, "ad-2"))
        os.replace(old, new)

    monkeypatch.setattr(Path, "replace", replace_late)
    export_all(service, tmp_path / "late")
    assert [past.folder for past in reports[0].exports] == [str(tmp_path / "late")]


def test_an_export_into_the_present_folder(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    before = Path.cwd()
    os.chdir(tmp_path / "here")
    try:
        cli("export", "--to", ".")
    finally:
        os.chdir(before)
    assert (tmp_path / "here" / "export.json").exists()
