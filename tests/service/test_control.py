"""What people do to a service, without a command line: pause, take down, put models in service."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biasloop.domain.batch import Arm, Selection
from biasloop.domain.model import ModelVersion, Promotion
from biasloop.domain.round import Done, PauseState, State
from biasloop.domain.task import PushedTask
from biasloop.errors import LabelStudioDown, LedgerError, PoolError
from biasloop.reports.status import overview
from biasloop.rounds.scorer import scoring_model
from biasloop.service import control, models
from biasloop.service.backup import make_backup
from biasloop.service.importing import import_file
from biasloop.service.service import Service
from biasloop.service.takedown import take_down
from support import annotations
from support.cli import write_jsonl
from support.workspaces import CopyBare

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def service(tmp_path: Path, copy_bare: CopyBare) -> Iterator[Service]:
    """A workspace with two ads."""
    service = Service(copy_bare(tmp_path / "w", "job_ads_en"))
    ads = ({"id": f"ad-{n}", "text": f"Waiter wanted for place {n}."} for n in range(2))
    import_file(service, write_jsonl(tmp_path / "ads.jsonl", *ads))
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
    assert report.erased == 1
    assert take_down(service, "ad-1") == replace(report, erased=0)  # and it is told so
    assert list(service.pool.column("erased")) == [False, True]
    with pytest.raises(PoolError, match="no ad 'ad-9'"):
        take_down(service, "ad-9")


def test_tasks_that_stay_are_named(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    (item,) = service.pool.items([1])
    monkeypatch.setattr(service.ledger, "pushed_items", lambda: {item.id})
    monkeypatch.setattr(Service, "label_studio", property(_down))
    with pytest.raises(LabelStudioDown, match="1 tasks still hold it: no answer; run `biasloop"):
        take_down(service, "ad-1")
    assert service.pool.items([1])[0].text == ""


@settings(max_examples=15)
@given(taken=st.sets(st.integers(0, 5)), low_water=st.integers(0, 6))
def test_what_is_taken_down_keeps_no_round_open(
    tmp_path_factory: pytest.TempPathFactory,
    copy_bare: CopyBare,
    taken: set[int],
    low_water: int,
) -> None:
    """However many items of a round are taken down: once all others are answered, it goes on."""
    folder = tmp_path_factory.mktemp("taken") / "w"
    service = Service(copy_bare(folder, "job_ads_en"))
    ads = [{"id": f"ad-{n}", "text": f"Waiter wanted for place {n}."} for n in range(6)]
    import_file(service, write_jsonl(folder.parent / "ads.jsonl", *ads))
    ledger, items = service.ledger, service.pool.items(list(range(6)))
    batch = [Selection(item.id, n, Arm.ACQUISITION, None, n) for n, item in enumerate(items)]
    ledger.rounds.open({}, NOW)
    ledger.add(batch, NOW, 0)
    ledger.add([PushedTask(item.id, n) for n, item in enumerate(items)], NOW, 0)
    for n in taken:
        service.ledger.record_takedown(f"ad-{n}", service.pool.erase(f"ad-{n}"), NOW)
    ledger.record(
        [
            annotations.vote(item.id, "age", key=f"ls:{n}", task_id=n)
            for n, item in enumerate(items)
            if n not in taken
        ]
    )
    service.settings = service.settings.model_copy(
        update={"loop": service.settings.loop.model_copy(update={"low_water": low_water})}
    )
    assert isinstance(service.steps.pull(ledger.rounds.get(0), lambda: None), Done)
    assert overview(service).open_tasks.all == 0
    service.close()


def test_a_takedown_outlives_a_restore(service: Service, tmp_path: Path) -> None:
    (tmp_path / "away").mkdir()
    for name in ("kept", "moved"):
        make_backup(service, tmp_path / name, lambda _: None)
    (tmp_path / "moved").rename(tmp_path / "away" / "moved")
    report = take_down(service, "ad-1")
    assert report.backups == [str(tmp_path / "kept")]
    assert report.backups_left == [str(tmp_path / "moved")]  # who restores it is told to
    restored = Service(Path((tmp_path / "kept").rename(tmp_path / "in_place")))
    assert [item.text for item in restored.pool.items([0, 1])] == ["Waiter wanted for place 0.", ""]
    assert restored.ledger.erased_items() == service.ledger.erased_items() != set()
    restored.close()


def test_an_answer_counts_for_the_round_that_asked_for_it(service: Service) -> None:
    """An item of a cancelled round that was chosen again."""
    ledger = service.ledger
    items = service.pool.items([0, 1])
    for round_id in range(2):
        ledger.rounds.open({}, NOW)
        chosen = [Selection(item.id, n, Arm.ACQUISITION, None, n) for n, item in enumerate(items)]
        ledger.add(chosen, NOW, round_id)
        if round_id == 0:
            control.cancel(service, 0, "")
    ledger.record([annotations.vote(items[0].id, "age", task_id=1)])
    assert [(r.answered, r.asked) for r in overview(service).rounds] == [(0, 2), (1, 2)]


def test_a_refused_model_chooses_nothing(service: Service) -> None:
    """Until a person promotes it, or a newer one is there."""
    ledger = service.ledger
    assert scoring_model(ledger) is None

    def train(number: int, high: float | None, *, auto: bool = True) -> None:
        model = ModelVersion(f"m{number}", "tfidf", 0, f"models/m{number}", {}, ())
        difference = None if high is None else {"value": high, "low": high, "high": high}
        promoted = auto and (high is None or high > -0.03)
        facts = {
            "promotion": {"model_id": model.id, "promoted": promoted, "difference": difference}
        }
        at = NOW + timedelta(hours=number)
        ledger.rounds.open({}, at)
        ledger.add([model, *([Promotion(model.id, "")] if promoted else [])], at, number)
        claim = ledger.rounds.claim(at, "test", at + timedelta(seconds=30))
        assert claim is not None
        ledger.rounds.commit(claim, Done(facts=facts), at)
        ledger.rounds.cancel(number, "", at)

    def chooser() -> str:
        model = scoring_model(ledger)
        assert model is not None
        assert overview(service).scoring_model == model.id
        return model.id

    train(0, None)
    assert chooser() == "m0"
    train(1, -0.4)
    assert chooser() == "m0"
    train(2, 0.1, auto=False)  # waits for an engineer, and is no worse
    assert chooser() == "m2"
    train(3, -0.4, auto=False)
    assert chooser() == "m2"
    models.promote(service, "m3")
    assert chooser() == "m3"


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
