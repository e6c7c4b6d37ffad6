"""tick() on a real ledger, with scripted steps."""

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from biasloop.domain.batch import Arm, Selection
from biasloop.domain.round import STEPS, Done, OpeningRules, Outcome, Round, Situation, State, Wait
from biasloop.errors import LabelStudioDown, LedgerError, LostLease
from biasloop.rounds.child import Heartbeat
from biasloop.rounds.loop import Loop, Retry
from biasloop.store.ledger import Ledger

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
RETRY = Retry(lease=timedelta(seconds=15), retry_base=2, retry_cap=60)
OPENING = OpeningRules(batch_size=5, min_new_items=1, interval=timedelta(0), budget=100)
Script = Callable[[Round, Heartbeat], Outcome]


class Stage:
    """A loop on a ledger of its own, a clock that is put forward by hand, and scripted steps."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.now = START
        self.scripts: dict[str, Script] = {}
        self.ran: list[str] = []
        self.loop = self.another("one")

    def another(self, owner: str) -> Loop:
        steps = {name: self.step(name) for name, _ in STEPS.values()}
        return Loop(
            self.ledger,
            steps,
            OPENING,
            self.situation,
            owner=owner,
            retry=RETRY,
            clock=lambda: self.now,
        )

    def step(self, name: str) -> Script:
        def run(round_: Round, heartbeat: Heartbeat) -> Outcome:
            self.ran.append(f"{round_.id} {name}")
            return self.scripts[name](round_, heartbeat) if name in self.scripts else Done()

        return run

    def situation(self, now: datetime) -> Situation:
        pause = self.ledger.control.pause_state()
        return Situation(now, self.ledger.rounds.all(), 0, lambda: 50, pause)

    @property
    def round(self) -> Round:
        return self.ledger.rounds.all()[-1]

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    ledger.migrate()
    yield Stage(ledger)
    ledger.close()


def test_a_tick_opens_a_round_and_runs_its_first_step(stage: Stage) -> None:
    assert stage.loop.tick() == "round 0: expand done"
    assert stage.round.state is State.EXPANDED
    assert [event["kind"] for event in stage.ledger.control.events()] == ["expanded", "opened"]


def test_what_a_step_returns_is_committed(stage: Stage) -> None:
    chosen = Selection("a" * 20, 0, Arm.AUDIT, 0.5, 0)
    stage.scripts["select"] = lambda *_: Done({"batch": 1}, (chosen,))
    for _ in range(3):
        stage.loop.tick()
    assert (stage.round.state, stage.round.facts) == (State.SELECTED, {"batch": 1})
    assert stage.ledger.selections() == [(0, chosen)]


def test_the_next_round_goes_to_people_before_the_last_one_trains(stage: Stage) -> None:
    later = stage.now + timedelta(minutes=5)
    stage.scripts["pull"] = lambda round_, _: Wait(later, "people") if round_.id else Done()
    names = [name for name, _ in STEPS.values()]
    to_people, behind = names[:5], names[5:]
    for _ in range(len(to_people) * 2 + len(behind)):
        stage.loop.tick()
    order = [(0, to_people), (1, to_people), (0, behind)]
    assert stage.ran == [f"{number} {name}" for number, part in order for name in part]
    assert stage.ledger.rounds.get(0).state is State.CLOSED
    assert stage.round.state is State.PUSHED
    assert stage.loop.tick() is None


def test_a_waiting_step_runs_again_when_it_is_due(stage: Stage) -> None:
    stage.scripts["expand"] = lambda *_: Wait(stage.now + timedelta(seconds=5), "people")
    assert stage.loop.tick() is None
    assert (stage.round.waits_for, stage.round.error) == ("people", None)
    stage.pass_time(4)
    assert stage.loop.tick() is None
    assert stage.ran == ["0 expand"]
    stage.pass_time(1)
    stage.loop.tick()
    assert stage.ran == ["0 expand", "0 expand"]
    assert stage.round.attempts == 0


def failing(error: Exception) -> Script:
    def script(*_: object) -> Outcome:
        raise error

    return script


def test_a_failure_waits_longer_each_time_and_then_goes_on(stage: Stage) -> None:
    stage.scripts["expand"] = failing(LabelStudioDown("no answer"))
    for attempt, seconds in enumerate([2, 4, 8, 16, 32, 60, 60], 1):
        report = stage.loop.tick()
        assert report == f"round 0: expand failed, again in {seconds} s: no answer"
        assert (stage.round.state, stage.round.attempts) == (State.OPENED, attempt)
        assert stage.round.error == "no answer"
        stage.pass_time(seconds - 1)
        assert stage.loop.tick() is None
        stage.pass_time(1)
    del stage.scripts["expand"]
    assert stage.loop.tick() == "round 0: expand done"
    assert (stage.round.attempts, stage.round.error) == (0, None)


def test_a_bug_in_a_step_does_not_end_the_loop(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.scripts["expand"] = failing(KeyError("pool_rows"))
    report = stage.loop.tick()
    assert report == "round 0: expand failed, again in 2 s: unexpected: KeyError('pool_rows')"
    (record,) = [r for r in caplog.records if r.name == "biasloop.rounds.loop"]
    assert record.exc_info is not None
    assert record.levelno == logging.ERROR
    stage.pass_time(2)
    del stage.scripts["expand"]
    assert stage.loop.tick() == "round 0: expand done"


def test_facts_that_cannot_be_written_are_a_failure(stage: Stage) -> None:
    chosen = Selection("a" * 20, 0, Arm.AUDIT, 0.5, 0)
    for wrong in (Done({"x": object()}), Done(records=(chosen, chosen))):
        stage.scripts["expand"] = lambda *_, wrong=wrong: wrong
        report = stage.loop.tick()
        assert report is not None
        assert "expand failed" in report
        assert (stage.round.state, stage.round.facts) == (State.OPENED, {})
        stage.pass_time(60)
    assert stage.ledger.selections() == []


# --- leases ---------------------------------------------------------------------------------------


def test_a_heartbeat_keeps_the_lease(stage: Stage) -> None:
    two = stage.another("two")

    def long(_: Round, heartbeat: Heartbeat) -> Outcome:
        for _ in range(3):
            stage.pass_time(10)
            heartbeat()
            assert two.tick() is None
        return Done()

    stage.scripts["expand"] = long
    assert stage.loop.tick() == "round 0: expand done"
    assert stage.ran == ["0 expand"]


@pytest.mark.parametrize("ending", ["done", "wait", "failure", "heartbeat"])
def test_a_loop_that_lost_the_lease_writes_nothing(stage: Stage, ending: str) -> None:
    two = stage.another("two")

    def slow(round_: Round, heartbeat: Heartbeat) -> Outcome:
        del stage.scripts["expand"]
        stage.pass_time(15)
        assert two.tick() == "round 0: expand done"
        match ending:
            case "wait":
                return Wait(stage.now, "late")
            case "failure":
                raise LabelStudioDown("late")
            case "heartbeat":
                with pytest.raises(LostLease):
                    heartbeat()
                heartbeat()
        return Done({"late": True})

    stage.scripts["expand"] = slow
    report = stage.loop.tick()
    assert report == "round 0 was taken over while its step expand ran; this result is discarded"
    assert (stage.round.state, stage.round.facts) == (State.EXPANDED, {})
    assert (stage.round.attempts, stage.round.waits_for) == (0, None)
    assert stage.loop.tick() == "round 0: score done"


def test_a_step_whose_process_died_runs_again_when_its_lease_ends(stage: Stage) -> None:
    stage.scripts["expand"] = failing(KeyboardInterrupt())  # passes by every handler, as death does
    with pytest.raises(KeyboardInterrupt):
        stage.loop.tick()
    del stage.scripts["expand"]
    two = stage.another("two")
    stage.pass_time(14)
    assert two.tick() is None
    stage.pass_time(1)
    assert two.tick() == "round 0: expand done"


def test_only_the_ledgers_own_errors_are_raised(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise LedgerError("disk full")

    stage.loop.tick()
    monkeypatch.setattr(stage.ledger.rounds, "commit", broken)
    monkeypatch.setattr(stage.ledger.rounds, "fail", broken)
    with pytest.raises(LedgerError, match="disk full"):
        stage.loop.tick()


# --- pausing --------------------------------------------------------------------------------------


def test_paused_does_nothing(stage: Stage) -> None:
    stage.loop.tick()
    stage.ledger.control.note("paused", {}, stage.now)
    assert stage.loop.tick() is None
    assert stage.ran == ["0 expand"]
    stage.ledger.control.note("running", {}, stage.now)
    assert stage.loop.tick() == "round 0: score done"


def test_draining_finishes_what_is_open_and_opens_nothing(stage: Stage) -> None:
    stage.loop.tick()
    stage.ledger.control.note("draining", {}, stage.now)
    for _ in range(len(STEPS) + 3):
        stage.loop.tick()
    assert [r.state for r in stage.ledger.rounds.all()] == [State.CLOSED]
    assert stage.loop.tick() is None
    stage.ledger.control.note("running", {}, stage.now)
    assert stage.loop.tick() == "round 1: expand done"
