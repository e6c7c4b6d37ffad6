"""A backup taken in the middle of a round goes on as if nothing had happened."""

import threading
from pathlib import Path

import pytest

from biasloop.domain.item import Ad, real_item
from biasloop.domain.round import State
from biasloop.domain.split import Split
from biasloop.errors import WorkspaceError
from biasloop.service.service import Service
from biasloop.workspace.backup import back_up
from biasloop.workspace.layout import Layout
from support.labelstudio_server import Server
from support.served import copy, gold, label_open, person_at, put_on, step_until, tasks_of


def quiet(_: str) -> None:
    """Tells nobody."""


def test_a_restored_workspace_loses_and_doubles_nothing(
    tiny_trained: Path, tmp_path: Path, label_studio_server: Server
) -> None:
    with put_on(label_studio_server, copy(tiny_trained, tmp_path / "workspace")) as running:
        step_until(running, State.PUSHED)
        label_open(running, label_studio_server, 4)
        running.poll()
        back_up(running.layout, tmp_path / "backup", quiet)
        with person_at(running, label_studio_server) as person:
            late = person.next_task()
            assert late is not None
            person.label(late, *gold(person.task(late)["data"]["text"]))
        running.poll()
        said = {a.key: a.labels for a in running.ledger.annotations() if a.task_id}
        tasks = tasks_of(running)

    (tmp_path / "workspace").rename(tmp_path / "lost")
    restored = Service(tmp_path / "backup")
    try:
        restored.reconcile()
        assert {a.key: a.labels for a in restored.ledger.annotations() if a.task_id} == said
        assert tasks_of(restored) == tasks
        label_open(restored, label_studio_server)
        step_until(restored, State.CLOSED)
        assert restored.ledger.models.in_service() is not None
    finally:
        restored.label_studio.close()
        restored.ledger.close()


def test_what_the_ledger_names_is_in_the_copy_while_others_write(
    tiny: Path, tmp_path: Path
) -> None:
    workspace = copy(tiny, tmp_path / "workspace")
    service, stop = Service(workspace), threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            ad = Ad(f"new-{number}", f"Annuncio numero {number}.")
            service.pool.append([real_item(ad, 0, len(ad.text), Split.TRAIN)], [ad])
            service.ledger.control.set_bookmark("newest", number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(3):
            size = back_up(Layout(workspace), tmp_path / f"backup{number}", quiet)
            assert size > 0
    finally:
        stop.set()
        writer.join()
    for number in range(3):
        restored = Service(tmp_path / f"backup{number}")
        newest = restored.ledger.control.bookmark("newest") or 0
        ids = {ad.id for ad in restored.pool.all_ads()}
        assert {f"new-{i}" for i in range(1, newest + 1)} <= ids
        assert (restored.layout.folder / "secrets").stat().st_mode & 0o077 == 0
        restored.ledger.close()
    service.ledger.close()


def test_a_backup_has_a_place_of_its_own(tiny: Path, tmp_path: Path) -> None:
    workspace = Layout(copy(tiny, tmp_path / "workspace"))
    with pytest.raises(WorkspaceError, match="inside the workspace"):
        back_up(workspace, workspace.folder / "backup", quiet)
    (tmp_path / "there").mkdir()
    with pytest.raises(WorkspaceError, match="exists already"):
        back_up(workspace, tmp_path / "there", quiet)
    (workspace.folder / "ledger.db").write_bytes(b"no database" * 100)
    with pytest.raises(WorkspaceError, match="failed"):
        back_up(workspace, tmp_path / "new", quiet)
    assert not list(tmp_path.glob("new*"))
