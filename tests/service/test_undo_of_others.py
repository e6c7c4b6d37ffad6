"""Taking an import back leaves alone what another import of the same ads added."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from biasloop.service import undo
from biasloop.service.importing import import_file
from biasloop.service.service import Service
from biasloop.store.pool import ArrowPool
from support.cli import write_jsonl
from support.workspaces import CopyBare


@pytest.fixture
def service(tmp_path: Path, copy_bare: CopyBare) -> Iterator[Service]:
    service = Service(copy_bare(tmp_path / "w", "job_ads_en", 0))
    yield service
    service.close()


def bring_in(service: Service, *numbers: int) -> str:
    rows = [{"id": f"ad-{n}", "text": f"Waiter wanted for place {n}."} for n in numbers]
    path = write_jsonl(service.layout.folder / "in.jsonl", *rows)
    return import_file(service, path).import_id


class Killed(BaseException):
    """Ends a call at a place."""


def test_what_was_added_again_after_a_kill_is_of_the_second_import(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(ArrowPool, "append", kill)
        with pytest.raises(Killed):
            bring_in(service, 1, 2)
    (killed,) = service.ledger.imports.all()
    second = bring_in(service, 1, 2)
    assert undo.undo(service, killed.id).is_empty
    assert service.pool.stats().items == service.pool.stats().ads == 2
    assert len(undo.undo(service, second).rows) == 2


def test_of_two_imports_at_once_one_has_added_an_ad(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one sees what is new before it has to wait for the pool."""
    append, first = ArrowPool.append, list[str]()

    def after_the_first(pool: ArrowPool, *args: Any) -> tuple[int, int]:
        monkeypatch.undo()
        other = Service(service.layout.folder)
        first.append(bring_in(other, 1, 2))
        other.close()
        return append(pool, *args)

    monkeypatch.setattr(ArrowPool, "append", after_the_first)
    second = bring_in(service, 1, 2, 3)
    assert len(undo.undo(service, second).rows) == 1
    assert service.pool.stats().items == service.pool.stats().ads == 2
    assert len(undo.undo(service, *first).rows) == 2


def test_rows_that_were_filled_again_are_of_the_later_import(
    service: Service, tmp_path: Path
) -> None:
    """The pool of a backup beside a ledger on a server, which is no part of it."""
    bring_in(service, 1)
    shutil.copytree(service.layout.pool, tmp_path / "before")
    lost = bring_in(service, 2)
    shutil.rmtree(service.layout.pool)
    shutil.copytree(tmp_path / "before", service.layout.pool)
    later = bring_in(service, 3)
    assert undo.undo(service, lost).is_empty
    assert len(undo.undo(service, later).rows) == 1
