"""What people do to a service, without a command line: pause, take down, put models in service."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from biasloop.domain.model import ModelVersion
from biasloop.domain.round import PauseState, State
from biasloop.errors import LabelStudioDown, LedgerError, PoolError
from biasloop.service import control, models
from biasloop.service.service import Service
from biasloop.service.takedown import take_down
from support.cli import write_jsonl
from support.workspaces import CopyBare

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def service(tmp_path: Path, copy_bare: CopyBare) -> Iterator[Service]:
    """A workspace with two ads."""
    service = Service(copy_bare(tmp_path / "w", "job_ads_en"))
    ads = ({"id": f"ad-{n}", "text": f"Waiter wanted for place {n}."} for n in range(2))
    service.import_file(write_jsonl(tmp_path / "ads.jsonl", *ads))
    yield service
    service.ledger.close()


def test_pause_drain_and_resume(service: Service) -> None:
    assert service.ledger.control.pause_state() is PauseState.RUNNING
    assert control.pause(service) is service.ledger.control.pause_state() is PauseState.PAUSED
    assert control.pause(service, drain=True) is service.ledger.control.pause_state()
    assert service.ledger.control.pause_state() is PauseState.DRAINING
    assert control.resume(service) is service.ledger.control.pause_state() is PauseState.RUNNING


def test_a_round_without_tasks_is_cancelled_without_label_studio(service: Service) -> None:
    service.ledger.rounds.open({}, NOW)
    assert control.cancel(service, 0, "wrong seed") == 0
    assert service.ledger.rounds.get(0).state is State.CANCELLED


def test_an_ad_is_taken_down_twice_as_well_as_once(service: Service) -> None:
    service.layout.features.mkdir()
    report = take_down(service, "ad-1")
    assert (report.ad, report.tasks_withdrawn, report.models) == ("ad-1", 0, [])
    assert len(report.items) == 1
    assert not service.layout.features.exists()
    assert take_down(service, "ad-1") == report
    assert list(service.pool.column("erased")) == [False, True]
    with pytest.raises(PoolError, match="no ad 'ad-9'"):
        take_down(service, "ad-9")


def test_tasks_that_stay_are_named(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    (item,) = service.pool.items([1])
    monkeypatch.setattr(service.ledger, "task_ids", lambda: {item.id: 7})
    monkeypatch.setattr(Service, "label_studio", property(_down))
    with pytest.raises(LabelStudioDown, match="1 tasks still hold it: no answer; run `biasloop"):
        take_down(service, "ad-1")
    assert service.pool.items([1])[0].text == ""


def _down(_: Service) -> None:
    raise LabelStudioDown("no answer")


def test_models_are_promoted_and_rolled_back(service: Service) -> None:
    with pytest.raises(LedgerError, match="no earlier model"):
        models.roll_back(service)
    for number, name in enumerate(("m1", "m2")):
        model = ModelVersion(name, "tfidf", 0, f"models/{name}", {}, ())
        service.ledger.add([model], NOW + timedelta(hours=number))
    models.promote(service, "m1")
    models.promote(service, "m2")
    _, model_id = models.roll_back(service)
    assert model_id == "m1"
    assert [p.why for _, p in service.ledger.models.promotions()] == [
        "by hand",
        "by hand",
        "rolled back from m2",
    ]
    with pytest.raises(LedgerError, match="no model 'm3'"):
        models.promote(service, "m3")
