"""Ticks and polls: one scheduler at a time, and trouble that comes and goes."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from biasloop.domain.round import PauseState
from biasloop.errors import LabelStudioDown, LedgerError
from biasloop.rounds.reconcile import Differences
from biasloop.rounds.scheduler import Scheduler
from biasloop.store.control import SCHEDULER_LEASE, Bookmark, Event
from biasloop.store.ledger import Ledger
from biasloop.workspace.settings import SchedulerSettings

NEVER = 600.0
"""Seconds: longer than any test."""
SECOND = timedelta(seconds=1)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    ledger.migrate()
    yield ledger
    ledger.close()


class Desk:
    """A scheduler whose ticks, polls and log lines are recorded."""

    def __init__(self, ledger: Ledger, owner: str = "me", **settings: float) -> None:
        self.ticks = 0
        self.polls = 0
        self.reconciled = 0
        self.logged: list[str] = []
        self.work: Callable[[], str | None] = lambda: None
        self.answer: Callable[[], int] = lambda: 0
        never = {"tick_seconds": NEVER, "poll_seconds": NEVER, "lease_seconds": 0.3}
        self.scheduler = Scheduler(
            ledger,
            self.tick,
            self.poll,
            self.reconcile,
            SchedulerSettings(**(never | settings)),  # type: ignore[arg-type]
            owner,
            self.logged.append,
        )

    def tick(self) -> str | None:
        self.ticks += 1
        return self.work()

    def poll(self) -> int:
        self.polls += 1
        return self.answer()

    def reconcile(self) -> Differences:
        self.reconciled += 1
        return Differences(changed=0, lost=2, pushed_again=1)

    def leads(self) -> bool:
        """Whether a tick does something now."""
        before = self.ticks
        self.scheduler.tick()
        return self.ticks > before

    def polled(self) -> bool:
        """Whether a poll does something now."""
        before = self.polls
        self.scheduler.poll()
        return self.polls > before

    def __enter__(self) -> "Desk":
        self.scheduler.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.scheduler.stop()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.01)


def fails(error: Exception) -> Callable[[], Any]:
    def answer() -> Any:
        raise error

    return answer


# --- who leads ------------------------------------------------------------------------------------


def test_the_second_stands_by_until_the_first_stops(ledger: Ledger) -> None:
    first, second = Desk(ledger, "first", lease_seconds=NEVER), Desk(ledger, "second")
    first.scheduler.start()
    with second:
        assert first.leads()
        assert not second.leads()
        assert not second.polled()
        assert second.logged == []
        first.scheduler.stop()
        until(second.leads)
        assert second.polled()
        assert second.logged == ["this process runs the loop"]
    assert ledger.control.hold_lease(SCHEDULER_LEASE, "anybody", datetime.now(UTC), 1)  # given back


def test_the_second_takes_over_when_the_lease_of_a_dead_one_ends(ledger: Ledger) -> None:
    ledger.control.hold_lease(SCHEDULER_LEASE, "dead", datetime.now(UTC), NEVER)
    with Desk(ledger) as desk:
        assert not desk.leads()
        ledger.control.hold_lease(SCHEDULER_LEASE, "dead", datetime.now(UTC), 0)  # its time is over
        until(desk.leads)


def test_a_scheduler_that_loses_the_lease_stops_ticking(ledger: Ledger) -> None:
    with Desk(ledger) as desk:
        assert desk.leads()
        ledger.control.hold_lease(SCHEDULER_LEASE, "other", datetime.now(UTC) + SECOND, NEVER / 2)
        until(lambda: not desk.leads())


def test_a_dead_process_whose_lease_dates_from_before_the_clock_was_set_back_does_not_block_others(
    ledger: Ledger,
) -> None:
    ledger.control.hold_lease(SCHEDULER_LEASE, "dead", datetime.now(UTC) + timedelta(hours=1), 15)
    with Desk(ledger) as desk:
        until(desk.leads)


def test_a_clock_that_is_set_back_stops_nothing(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = [timedelta(0)]

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) - back[0]

    real = time.time
    monkeypatch.setattr("apscheduler.schedulers.base.datetime", Clock)
    monkeypatch.setattr("biasloop.rounds.scheduler.datetime", Clock)
    monkeypatch.setattr(
        "biasloop.rounds.scheduler.time.time", lambda: real() - back[0].total_seconds()
    )
    with Desk(ledger, tick_seconds=0.05, poll_seconds=0.05) as desk:
        until(lambda: desk.ticks and desk.polls)
        back[0] = timedelta(hours=2)
        until(lambda: any("set back by 7200 s" in line for line in desk.logged))
        before = desk.ticks, desk.polls
        until(lambda: desk.ticks > before[0] + 2 and desk.polls > before[1] + 2)


def test_an_error_of_the_ledger_is_logged_and_nobody_leads(ledger: Ledger) -> None:
    def broken(*_: object) -> bool:
        raise LedgerError("disk full")

    with pytest.MonkeyPatch.context() as patch, Desk(ledger) as desk:
        patch.setattr(ledger.control, "hold_lease", broken)
        until(lambda: not desk.leads())
        assert desk.logged[-1] == "error: disk full"
        patch.undo()
        until(desk.leads)


def test_what_people_did_by_other_processes_is_logged(ledger: Ledger) -> None:
    ledger.control.note(PauseState.PAUSED, {}, datetime.now(UTC))  # before: not its business
    ledger.rounds.open({}, datetime.now(UTC))
    with Desk(ledger) as desk:
        ledger.control.note(PauseState.RUNNING, {}, datetime.now(UTC))
        ledger.control.note(Event.IMPORTED, {}, datetime.now(UTC))
        ledger.rounds.cancel(0, "wrong ads", datetime.now(UTC))
        until(lambda: len(desk.logged) == 3)
    assert desk.logged[1:] == ["running", "round 0 cancelled: why wrong ads"]


# --- ticks ----------------------------------------------------------------------------------------


def test_two_ticks_run_at_a_time_and_no_third(ledger: Ledger) -> None:
    """One round trains while the next is on its way to people (R6); stopping waits for both."""
    running, most, go_on = [0], [0], threading.Event()
    lock = threading.Lock()

    def tick() -> str:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        go_on.wait()
        with lock:
            running[0] -= 1
        return "round 0: train done"

    desk = Desk(ledger, lease_seconds=NEVER, tick_seconds=0.01)
    desk.work = tick
    desk.scheduler.start()
    with ThreadPoolExecutor(1) as pool:
        try:
            until(lambda: running[0] == 2)
            stopping = pool.submit(desk.scheduler.stop)
            until(lambda: not desk.scheduler._jobs.running)
            assert not ledger.control.hold_lease(
                SCHEDULER_LEASE, "other", datetime.now(UTC), 1
            )  # still at work
        finally:
            go_on.set()
        stopping.result()
    assert (running, most) == ([0], [2])
    assert desk.logged[:3] == ["this process runs the loop", *["round 0: train done"] * 2]
    assert ledger.control.hold_lease(SCHEDULER_LEASE, "other", datetime.now(UTC), 1)


def test_an_error_of_a_tick_is_logged(ledger: Ledger) -> None:
    with Desk(ledger) as desk:
        desk.work = fails(LedgerError("disk full"))
        assert desk.leads()
        assert desk.logged[-1] == "error: disk full"


# --- polls ----------------------------------------------------------------------------------------


def test_trouble_is_recorded_logged_once_and_cleared(ledger: Ledger) -> None:
    with Desk(ledger, retry_base_seconds=0.001) as desk:
        for attempt in (1, 2):
            desk.answer = fails(LabelStudioDown(f"no answer {attempt}"))
            until(desk.polled)
            assert ledger.control.bookmark(Bookmark.TROUBLE) == f"no answer {attempt}"
        desk.answer = lambda: 3
        until(desk.polled)
        assert ledger.control.bookmark(Bookmark.TROUBLE) is None
        assert desk.polled()  # no waiting any more
    assert desk.logged == [
        "this process runs the loop",
        "poll failed, trying again: no answer 1",
        "Label Studio answers again",
        "3 new annotations",
        "3 new annotations",
    ]


def test_a_failed_poll_is_not_tried_again_at_once(ledger: Ledger) -> None:
    with Desk(ledger, retry_base_seconds=NEVER) as desk:
        desk.answer = fails(LabelStudioDown("no answer"))
        assert desk.polled()
        assert not desk.polled()


def test_trouble_of_a_process_that_died_is_cleared_by_the_next(ledger: Ledger) -> None:
    ledger.control.set_bookmark(Bookmark.TROUBLE, "no answer")
    with Desk(ledger) as desk:
        assert desk.polled()
        assert ledger.control.bookmark(Bookmark.TROUBLE) is None


def test_a_bug_in_a_poll_is_trouble_too(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    with Desk(ledger, retry_base_seconds=NEVER) as desk:
        desk.answer = fails(KeyError("data"))
        desk.scheduler.poll()
        assert ledger.control.bookmark(Bookmark.TROUBLE) == "unexpected: KeyError('data')"
        assert not desk.polled()
    assert "poll failed" in caplog.messages


def test_waking_polls_at_once(ledger: Ledger) -> None:
    desk = Desk(ledger)
    desk.scheduler.wake()  # before the start: nothing to wake
    with desk:
        assert desk.polls == 0
        desk.scheduler.wake()
        until(lambda: desk.polls == 1)


def test_the_leader_reconciles_and_logs_what_it_corrected(ledger: Ledger) -> None:
    with Desk(ledger) as first, Desk(ledger, "another") as second:
        first.scheduler.reconcile()
        second.scheduler.reconcile()
        assert (first.reconciled, second.reconciled) == (1, 0)
        assert first.logged[-1] == "reconciled with Label Studio: 2 lost, 1 pushed again"
