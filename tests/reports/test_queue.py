"""How the queue stands, on a real ledger and pool."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from biasloop.domain.batch import Arm, Selection
from biasloop.domain.queue import Queue
from biasloop.domain.round import Done, State
from biasloop.domain.task import PushedTask
from biasloop.reports.queue import BatchReport, QueueState, queue_state
from biasloop.rounds import situation
from biasloop.service import control
from biasloop.service.importing import import_file
from biasloop.service.service import Service
from biasloop.service.takedown import take_down
from support import annotations
from support.cli import write_jsonl
from support.workspaces import CopyBare

BATCH = 4


class Campaign:
    """A workspace with three batches of ads, and a clock that is put forward by hand."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.now = datetime(2026, 3, 1, 9, tzinfo=UTC)

    @property
    def state(self) -> QueueState:
        return queue_state(self.service, self.now)

    def set(self, **loop: Any) -> None:
        """Changes settings of the loop."""
        changed = self.service.settings.loop.model_copy(update=loop)
        self.service.settings = self.service.settings.model_copy(update={"loop": changed})

    def pass_time(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)

    def step(self, done: Done, times: int = 1) -> None:
        """Commits that many steps of the most urgent round."""
        rounds = self.service.ledger.rounds
        for _ in range(times):
            claim = rounds.claim(self.now, "test", self.now + timedelta(seconds=1))
            assert claim is not None
            rounds.commit(claim, done, self.now)

    def open_round(self) -> int:
        opened = self.service.ledger.rounds.open({}, self.now)
        assert opened is not None
        return opened.id

    def push(self, number: int, minutes: float = 3) -> None:
        """Takes an opened round to annotators, which takes so long."""
        rows = range(number * BATCH, (number + 1) * BATCH)
        items = [item.id for item in self.service.pool.items(list(rows))]
        batch = [Selection(item, n, Arm.ACQUISITION, None, n) for n, item in enumerate(items)]
        self.step(Done(), 2)
        self.step(Done(records=tuple(batch)))
        self.pass_time(minutes)
        tasks = tuple(PushedTask(item, n) for n, item in zip(rows, items, strict=True))
        self.step(Done({"preparation_minutes": minutes}, tasks))

    def answer(self, number: int, *positions: int) -> None:
        for row in (number * BATCH + position for position in positions):
            (item,) = self.service.pool.items([row])
            self.service.ledger.record(
                [annotations.vote(item.id, "age", key=f"ls:{row}", task_id=row, at=self.now)]
            )


@pytest.fixture
def campaign(tmp_path: Path, copy_bare: CopyBare) -> Iterator[Campaign]:
    service = Service(copy_bare(tmp_path / "w", "job_ads_en"))
    ads = ({"id": f"ad-{n}", "text": f"Waiter wanted for place {n}."} for n in range(3 * BATCH))
    import_file(service, write_jsonl(tmp_path / "ads.jsonl", *ads))
    campaign = Campaign(service)
    campaign.set(batch_size=BATCH)
    yield campaign
    service.close()


def test_a_round_from_its_opening_to_the_batch_after_it(campaign: Campaign) -> None:
    assert campaign.state == QueueState(Queue.PREPARING, None, None)
    campaign.open_round()
    assert campaign.state == QueueState(Queue.PREPARING, None, None)
    campaign.push(0)
    assert campaign.state == QueueState(Queue.WORK, None, BatchReport(0, BATCH))
    campaign.answer(0, 0, 1, 2)
    assert campaign.state == QueueState(Queue.WORK, None, BatchReport(3, BATCH))
    campaign.answer(0, 3)
    all_answered = BatchReport(BATCH, BATCH)
    assert campaign.state == QueueState(Queue.PREPARING, 3, all_answered)
    campaign.step(Done())
    assert campaign.state == QueueState(Queue.PREPARING, 3, all_answered)
    number = campaign.open_round()
    campaign.pass_time(1.5)
    assert campaign.state == QueueState(Queue.PREPARING, 2, all_answered)
    campaign.pass_time(60)  # overdue
    assert campaign.state == QueueState(Queue.PREPARING, None, all_answered)
    campaign.push(number)
    assert campaign.state == QueueState(Queue.WORK, None, BatchReport(0, BATCH))


def test_tasks_that_an_earlier_round_left_open_are_work(campaign: Campaign) -> None:
    campaign.open_round()
    campaign.push(0)
    campaign.answer(0, 0, 1)
    campaign.step(Done())
    assert campaign.service.ledger.rounds.get(0).state is State.ANNOTATED
    campaign.open_round()
    assert campaign.state == QueueState(Queue.WORK, None, BatchReport(2, BATCH))
    campaign.push(1)
    campaign.answer(1, *range(BATCH))
    assert campaign.state == QueueState(Queue.WORK, None, BatchReport(BATCH, BATCH))
    campaign.answer(0, 2, 3)
    assert campaign.state.state is Queue.PREPARING


def test_an_item_with_too_few_votes_is_open(campaign: Campaign) -> None:
    votes = campaign.service.settings.votes.model_copy(update={"per_item": 2})
    campaign.service.settings = campaign.service.settings.model_copy(update={"votes": votes})
    campaign.open_round()
    campaign.push(0)
    campaign.answer(0, *range(BATCH))
    assert campaign.state == QueueState(Queue.WORK, None, BatchReport(0, BATCH))


def test_what_is_taken_down_is_no_work(campaign: Campaign) -> None:
    campaign.open_round()
    campaign.push(0)
    campaign.answer(0, 0, 1)
    for n in (2, 3):
        campaign.service.ledger.record_takedown(
            f"ad-{n}", campaign.service.pool.erase(f"ad-{n}"), campaign.now
        )
    assert campaign.state == QueueState(Queue.PREPARING, 3, BatchReport(2, 2))


def label_everything(campaign: Campaign) -> None:
    for number in range(3):
        campaign.open_round()
        campaign.push(number)
        campaign.answer(number, *range(BATCH))
        campaign.step(Done(), 5)


def test_an_exhausted_pool_is_done_until_ads_are_imported(
    campaign: Campaign, tmp_path: Path
) -> None:
    label_everything(campaign)
    assert campaign.state == QueueState(Queue.DONE, None, None)
    new = write_jsonl(tmp_path / "new.jsonl", {"id": "new", "text": "Cook wanted."})
    import_file(campaign.service, new)
    assert campaign.state == QueueState(Queue.PREPARING, 3, None)
    take_down(campaign.service, "new")
    assert campaign.state == QueueState(Queue.DONE, None, None)


def test_a_spent_budget_is_done_until_it_is_raised(campaign: Campaign) -> None:
    campaign.set(budget=BATCH)
    campaign.open_round()
    campaign.push(0)
    assert campaign.state.state is Queue.WORK
    campaign.answer(0, *range(BATCH))
    assert campaign.state.state is Queue.DONE
    campaign.set(budget=BATCH + 1)
    assert campaign.state.state is Queue.PREPARING


def test_a_pause_is_told_once_there_is_no_work(campaign: Campaign) -> None:
    campaign.open_round()
    control.pause(campaign.service)
    assert campaign.state.state is Queue.PAUSED
    control.resume(campaign.service)
    campaign.push(0)
    control.pause(campaign.service)
    assert campaign.state.state is Queue.WORK
    campaign.answer(0, *range(BATCH))
    assert campaign.state.state is Queue.PAUSED


def test_the_pool_is_read_again_only_after_a_change(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings: list[int] = []
    candidates: Callable[..., Any] = situation.candidates

    def counted(*arguments: Any) -> Any:
        readings.append(1)
        return candidates(*arguments)

    monkeypatch.setattr(situation, "candidates", counted)
    for _ in range(3):
        assert campaign.state.state is Queue.PREPARING
    assert len(readings) == 1
    campaign.open_round()
    campaign.push(0)
    for _ in range(3):
        assert campaign.state.state is Queue.WORK
    assert len(readings) == 1
    campaign.answer(0, *range(BATCH))
    for _ in range(3):
        assert campaign.state.state is Queue.PREPARING
    assert len(readings) == 2
