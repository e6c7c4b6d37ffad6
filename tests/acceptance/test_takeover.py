"""A second process stands by; when the first is killed it goes on, and nothing is lost or doubled.

On SQLite both are on one workspace. On PostgreSQL each has a folder of its own, as on two
machines, which share the disk with pool and models.
"""

import shutil
from pathlib import Path

import pytest

from biasloop.domain.label import LabelSource
from biasloop.domain.round import State
from biasloop.service.service import Service
from support.labelstudio_server import Server
from support.ports import free_port
from support.served import (
    copy,
    label_open,
    make_workspace,
    put_on,
    serving,
    state,
    tasks_of,
    wait_until,
)

BATCH = 8
SETTINGS = {
    "loop": {"batch_size": BATCH, "low_water": 0, "budget": BATCH, "audit_block": 2},
    "scheduler": {"lease_seconds": 3},
}
LEADS = "this process runs the loop"
SHARED = ("pool", "models", "features", "scores", "rejects", "work")


def other_machine(workspace: Path, folder: Path) -> Path:
    """The workspace as another machine sees it: settings of its own, the disk shared."""
    folder.mkdir()
    shutil.copy(workspace / "biasloop.toml", folder)
    shutil.copy2(workspace / "secrets", folder)
    shutil.copytree(workspace / "campaign", folder / "campaign")
    for name in SHARED:
        (workspace / name).mkdir(exist_ok=True)
        (folder / name).symlink_to(workspace / name)
    return folder


@pytest.fixture(params=["sqlite", "postgresql"])
def workspace(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """One whose ledger is on either database."""
    if request.param == "sqlite":
        return copy(request.getfixturevalue("tiny"), tmp_path / "workspace")
    monkeypatch.setenv("BIASLOOP_LEDGER_URL", request.getfixturevalue("postgres_url"))
    return make_workspace(tmp_path / "workspace")


def votes(service: Service) -> list[str]:
    """The items of every human annotation."""
    found = service.ledger.annotations()
    return sorted(a.item_id for a in found if a.source is LabelSource.HUMAN)


def test_the_second_goes_on_where_the_first_was_killed(
    workspace: Path, tmp_path: Path, label_studio_server: Server
) -> None:
    first_port, second_port = free_port(), free_port()
    with put_on(label_studio_server, workspace, **SETTINGS) as service:
        on_sqlite = (workspace / "ledger.db").exists()
        standby = workspace if on_sqlite else other_machine(workspace, tmp_path / "other")

        def told_by_the_second() -> str:
            return (standby / f"serve-{second_port}.log").read_text("utf-8")

        with serving(workspace, first_port) as first, serving(standby, second_port) as second:
            wait_until(lambda: state(service) is State.PUSHED)
            label_open(service, label_studio_server, 3)
            wait_until(lambda: len(votes(service)) == 3)
            label_open(service, label_studio_server)
            wait_until(lambda: any(workspace.glob("work/*-train/**/lock")))
            assert LEADS not in told_by_the_second()
            first.kill()
            wait_until(lambda: state(service) is State.CLOSED, told_by_the_second)
            assert LEADS in told_by_the_second()
            assert second.poll() is None
        batch = sorted(s.item_id for _, s in service.ledger.selections())
        assert tasks_of(service) == [(item, 1) for item in batch]
        assert votes(service) == batch
        assert service.ledger.models.get("r0000").seq == service.ledger.sequence()
