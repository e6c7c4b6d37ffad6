"""A slow classifier makes the low-water mark rise: the real loop, ledger, pool and steps, with a
clock that is put forward by hand."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from biasloop.domain.round import Done, Outcome, Round, State
from biasloop.domain.task import LabelTask
from biasloop.reports.status import overview
from biasloop.rounds import wiring
from biasloop.rounds.child import Heartbeat
from biasloop.rounds.loop import Loop, Retry
from biasloop.service.importing import import_file
from biasloop.service.service import Service
from support import annotations
from support.cli import write_jsonl

BATCH, SETTING = 20, 2
RETRY = Retry(lease=timedelta(seconds=15), retry_base=2, retry_cap=60)


class Clock(datetime):
    """The time of the steps."""

    moment = datetime(2026, 3, 1, 9, tzinfo=UTC)

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return cls.moment.astimezone(tz)


class Tasks:
    """Stands in for Label Studio, of which only `push` is needed."""

    def push(self, tasks: Sequence[LabelTask], **_: Any) -> dict[str, int]:
        return {task.item_id: number for number, task in enumerate(tasks, 1)}


class Stage:
    """The loop of a workspace whose classifier takes `minutes` to score the pool."""

    def __init__(self, service: Service, minutes: float) -> None:
        tasks: Any = Tasks()
        steps = replace(service.steps, label_studio=lambda: tasks, ensure_project=lambda: 1)

        def score(_round: Round, _heartbeat: Heartbeat) -> Outcome:
            Clock.moment += timedelta(minutes=minutes)
            return Done({"pool_rows": len(service.pool), "scored_with": None})

        def nothing(_round: Round, _heartbeat: Heartbeat) -> Outcome:
            return Done()

        heavy = {"expand": nothing, "score": score, "train": nothing, "evaluate": nothing}
        self.service = service
        self.loop = Loop(
            service.ledger,
            steps.table() | heavy,
            service.settings.opening,
            service.situation,
            owner="one",
            retry=RETRY,
            clock=lambda: Clock.moment,
        )

    def tick(self) -> None:
        """Ticks until nothing is left to be done."""
        while report := self.loop.tick():
            assert "failed" not in report, report

    def label(self, round_id: int) -> dict[str, Any]:
        """Somebody answers a task every 20 seconds until the round counts as annotated; returns
        its facts."""
        ledger = self.service.ledger
        for _, selection in ledger.selections(round_id):
            Clock.moment += timedelta(seconds=20)
            vote = annotations.vote(selection.item_id, "age", task_id=1, at=Clock.moment)
            ledger.record([vote])
            self.tick()
            if ledger.rounds.get(round_id).state is not State.PUSHED:
                break
        return dict(ledger.rounds.get(round_id).facts)


@pytest.fixture
def service(sown: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setattr(wiring, "datetime", Clock)
    monkeypatch.setattr(Clock, "moment", Clock.moment)
    monkeypatch.setenv("BIASLOOP_LOOP__BATCH_SIZE", str(BATCH))
    monkeypatch.setenv("BIASLOOP_LOOP__LOW_WATER", str(SETTING))
    service = Service(Path(shutil.copytree(sown, tmp_path / "workspace")))
    ads = ({"id": f"new-{n}", "text": f"Cercasi cuoca per la sede {n}."} for n in range(100))
    import_file(service, write_jsonl(tmp_path / "ads.jsonl", *ads))
    yield service
    service.close()


def test_a_quick_classifier_leaves_the_mark_at_the_setting(service: Service) -> None:
    stage = Stage(service, minutes=0.1)
    stage.tick()
    facts = stage.label(0)
    assert facts["low_water"] == {"mark": SETTING, "labels_per_minute": 3, "minutes": 0.1}
    assert facts["left_open"] == SETTING


def test_a_slow_classifier_makes_the_mark_rise(service: Service) -> None:
    stage = Stage(service, minutes=2)
    stage.tick()
    for round_id in (0, 1):
        facts = stage.label(round_id)
        assert facts["preparation_minutes"] == 2
        assert facts["low_water"] == {"mark": 6, "labels_per_minute": 3, "minutes": 2}
        assert facts["left_open"] == 6
        Clock.moment += timedelta(hours=14)  # a night
        stage.tick()
    shown = overview(service).rounds[0].facts["low_water"]
    assert shown == {"mark": 6, "labels_per_minute": 3, "minutes": 2}


def test_a_very_slow_classifier_gets_half_of_the_batch(service: Service) -> None:
    stage = Stage(service, minutes=45)
    stage.tick()
    assert stage.label(0)["low_water"]["mark"] == BATCH // 2
