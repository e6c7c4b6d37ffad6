"""Contract of the rounds in the ledger, on SQLite and PostgreSQL."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from biasloop.domain.batch import Arm, Selection
from biasloop.domain.round import (
    AFTER_LABELLING,
    BEFORE_LABELLING,
    DURING_LABELLING,
    STEPS,
    Claim,
    Done,
    State,
    Wait,
)
from biasloop.domain.task import PushedTask
from biasloop.errors import LedgerError, LostLease
from biasloop.store.ledger import Ledger

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LEASE = timedelta(seconds=15)


def claim(ledger: Ledger, now: datetime = NOW, owner: str = "me") -> Claim:
    claimed = ledger.rounds.claim(now, owner, now + LEASE)
    assert claimed is not None
    return claimed


def advance(ledger: Ledger, state: State) -> None:
    """Opens a round and commits its steps until it is in `state`."""
    opened = ledger.rounds.open({}, NOW)
    assert opened is not None
    while ledger.rounds.get(opened.id).state is not state:
        ledger.rounds.commit(claim(ledger), Done(), NOW)


def test_times_from_before_the_clock_was_set_back_delay_no_round(ledger: Ledger) -> None:
    ledger.rounds.open({}, NOW)
    held = claim(ledger, NOW, "dead")
    back = NOW - timedelta(hours=2)
    taken = claim(ledger, back, "other")  # no lease ends two hours from now
    with pytest.raises(LostLease):
        ledger.rounds.commit(held, Done(), back)
    ledger.rounds.fail(taken, "down", NOW + LEASE, NOW)
    assert ledger.rounds.claim(NOW, "me", NOW + LEASE) is None
    assert claim(ledger, back).round.attempts == 1


def test_a_round_opens_once(ledger: Ledger) -> None:
    first = ledger.rounds.open({"why": "due"}, NOW)
    assert first is not None
    assert (first.id, first.state, first.facts) == (0, State.OPENED, {"why": "due"})
    assert (first.opened_at, first.attempts, first.step) == (NOW, 0, "expand")
    assert ledger.rounds.open({}, NOW) is None
    assert ledger.rounds.all() == (first,)


def test_the_next_round_opens_once_the_last_is_labelled(ledger: Ledger) -> None:
    advance(ledger, State.PUSHED)
    assert ledger.rounds.open({}, NOW) is None
    ledger.rounds.commit(claim(ledger), Done(), NOW)
    second = ledger.rounds.open({}, NOW)
    assert second is not None
    assert second.id == 1


def test_an_unknown_round_is_refused(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="no round 7; `biasloop status`"):
        ledger.rounds.get(7)


def test_a_round_goes_through_every_state_and_keeps_its_facts(ledger: Ledger) -> None:
    ledger.rounds.open({"opened": 1}, NOW)
    for number, (state, (step, after)) in enumerate(STEPS.items()):
        claimed = claim(ledger)
        assert (claimed.round.state, claimed.round.step) == (state, step)
        now = NOW + timedelta(minutes=number)
        ledger.rounds.commit(claimed, Done({step: number}), now)
        assert ledger.rounds.get(0).state is after
    closed = ledger.rounds.get(0)
    steps = [step for step, _ in STEPS.values()]
    assert closed.facts == {"opened": 1} | {step: n for n, step in enumerate(steps)}
    assert closed.closed_at == NOW + timedelta(minutes=len(STEPS) - 1)
    assert ledger.rounds.claim(NOW, "me", NOW + LEASE) is None
    kinds = [event["kind"] for event in reversed(ledger.control.events())]
    assert kinds == [state for state in State if state is not State.CANCELLED]
    assert ledger.control.events_of(0)[State.CLOSED] == closed.closed_at


# --- claims ---------------------------------------------------------------------------------------


def test_two_never_get_the_same_claim(ledger: Ledger, another: Callable[[], Ledger]) -> None:
    ledger.rounds.open({}, NOW)
    ledgers = [another(), another()]
    for number in range(10):
        now, barrier = NOW + number * LEASE, threading.Barrier(6)

        def race(i: int, now: datetime = now, barrier: threading.Barrier = barrier) -> Claim | None:
            barrier.wait()
            return ledgers[i % 2].rounds.claim(now, f"owner {i}", now + LEASE)

        with ThreadPoolExecutor(6) as pool:
            won = [claimed for claimed in pool.map(race, range(6)) if claimed]
        assert [claimed.token for claimed in won] == [number + 1]


def test_a_lease_holds_until_it_ends(ledger: Ledger) -> None:
    ledger.rounds.open({}, NOW)
    first = claim(ledger)
    almost = NOW + LEASE - timedelta(seconds=1)
    assert ledger.rounds.claim(almost, "other", almost + LEASE) is None
    ledger.rounds.renew(first, NOW + 2 * LEASE)
    assert ledger.rounds.claim(NOW + LEASE, "other", NOW + 3 * LEASE) is None
    second = claim(ledger, NOW + 2 * LEASE, "other")
    assert second.token == first.token + 1
    assert second.round == first.round


def test_a_late_process_may_commit_if_no_other_took_over(ledger: Ledger) -> None:
    ledger.rounds.open({}, NOW)
    ledger.rounds.commit(claim(ledger), Done(), NOW + 10 * LEASE)
    assert ledger.rounds.get(0).state is State.EXPANDED


MOVES: dict[str, Callable[[Ledger, Claim], None]] = {
    "renew": lambda ledger, held: ledger.rounds.renew(held, NOW + 9 * LEASE),
    "commit": lambda ledger, held: ledger.rounds.commit(
        held, Done({"stale": True}, (Selection("a" * 20, 0, Arm.AUDIT, None, 0),)), NOW
    ),
    "wait": lambda ledger, held: ledger.rounds.wait(held, Wait(NOW + 9 * LEASE, "stale")),
    "fail": lambda ledger, held: ledger.rounds.fail(held, "stale", NOW + 9 * LEASE, NOW),
}


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("how", ["taken over", "committed", "cancelled"])
def test_a_stale_claim_writes_nothing(ledger: Ledger, move: str, how: str) -> None:
    ledger.rounds.open({}, NOW)
    stale = claim(ledger)
    if how == "cancelled":
        ledger.rounds.cancel(0, "by hand", NOW)
    else:
        newer = claim(ledger, NOW + LEASE, "other")
        if how == "committed":
            ledger.rounds.commit(newer, Done(), NOW + LEASE)
    before = (ledger.rounds.all(), ledger.control.events(), ledger.selections())
    with pytest.raises(LostLease, match="round 0 was taken over"):
        MOVES[move](ledger, stale)
    assert (ledger.rounds.all(), ledger.control.events(), ledger.selections()) == before
    free = ledger.rounds.claim(NOW + 2 * LEASE, "third", NOW + 3 * LEASE)
    assert (free is None) == (how == "cancelled")  # a stale renewal would have kept it


# --- commits --------------------------------------------------------------------------------------


def test_a_commit_is_whole_or_not_at_all(ledger: Ledger) -> None:
    ledger.rounds.open({}, NOW)
    held = claim(ledger)
    before = (ledger.rounds.all(), ledger.control.events())
    chosen = Selection("a" * 20, 0, Arm.AUDIT, 0.5, 0)
    with pytest.raises(LedgerError):
        ledger.rounds.commit(held, Done({"x": 1}, (PushedTask("b" * 20, 7), chosen, chosen)), NOW)
    assert (ledger.rounds.all(), ledger.control.events()) == before
    assert (ledger.selections(), ledger.task_ids()) == ([], {})
    ledger.rounds.commit(held, Done({"x": 1}, (PushedTask("b" * 20, 7), chosen)), NOW)
    assert ledger.selections() == [(0, chosen)]
    assert ledger.task_ids() == {"b" * 20: 7}
    assert ledger.control.events(1)[0]["data"] == {"x": 1}


def test_a_failure_leaves_the_state(ledger: Ledger) -> None:
    ledger.rounds.open({}, NOW)
    for attempt in (1, 2):
        now = NOW + attempt * LEASE
        ledger.rounds.fail(claim(ledger, now), f"down {attempt}", now + LEASE, now)
        failed = ledger.rounds.get(0)
        assert (failed.state, failed.step, failed.attempts) == (State.OPENED, "expand", attempt)
        assert (failed.error, failed.retry_at) == (f"down {attempt}", now + LEASE)
        data = {"step": "expand", "error": f"down {attempt}", "attempts": attempt}
        assert ledger.control.events(1)[0]["data"] == data
        assert ledger.rounds.claim(now, "me", now + LEASE) is None
    ledger.rounds.commit(claim(ledger, NOW + 3 * LEASE), Done(), NOW)
    done = ledger.rounds.get(0)
    assert (done.attempts, done.error, done.retry_at) == (0, None, None)


def test_a_wait_is_no_failure(ledger: Ledger) -> None:
    advance(ledger, State.PUSHED)
    ledger.rounds.fail(claim(ledger), "down", NOW, NOW)
    ledger.rounds.wait(claim(ledger), Wait(NOW + LEASE, "5 of 9 tasks are open"))
    waiting = ledger.rounds.get(0)
    assert (waiting.attempts, waiting.error) == (0, None)
    assert (waiting.waits_for, waiting.retry_at) == ("5 of 9 tasks are open", NOW + LEASE)
    assert ledger.rounds.claim(NOW, "me", NOW + LEASE) is None
    ledger.rounds.commit(claim(ledger, NOW + LEASE), Done(), NOW)
    assert ledger.rounds.get(0).waits_for is None


def test_waking_ends_waits_but_not_the_back_off_after_a_failure(ledger: Ledger) -> None:
    advance(ledger, State.PUSHED)
    ledger.rounds.wait(claim(ledger), Wait(NOW + LEASE, "people"))
    ledger.rounds.wake(State.ANNOTATED)
    assert ledger.rounds.claim(NOW, "me", NOW + LEASE) is None
    ledger.rounds.wake(State.PUSHED)
    ledger.rounds.fail(claim(ledger), "down", NOW + LEASE, NOW)
    ledger.rounds.wake(State.PUSHED)
    assert ledger.rounds.claim(NOW, "me", NOW + LEASE) is None


def test_a_cancelled_round_is_over(ledger: Ledger) -> None:
    advance(ledger, State.PUSHED)
    ledger.rounds.fail(claim(ledger), "down", NOW + LEASE, NOW)
    cancelled = ledger.rounds.cancel(0, "wrong seed", NOW)
    assert (cancelled.state, cancelled.closed_at, cancelled.step) == (State.CANCELLED, NOW, None)
    assert (cancelled.error, cancelled.waits_for, cancelled.retry_at) == (None, None, None)
    assert ledger.control.events(1)[0]["data"] == {"why": "wrong seed"}
    assert ledger.rounds.claim(NOW + LEASE, "me", NOW + 2 * LEASE) is None
    with pytest.raises(LedgerError, match="round 0 is cancelled already"):
        ledger.rounds.cancel(0, "again", NOW)
    assert ledger.rounds.open({}, NOW) is not None


# --- several rounds -------------------------------------------------------------------------------


def test_rounds_that_are_not_labelled_yet_come_first(ledger: Ledger) -> None:
    advance(ledger, State.ANNOTATED)
    ledger.rounds.open({}, NOW)
    for state in BEFORE_LABELLING + DURING_LABELLING:
        first, second = claim(ledger), claim(ledger)
        assert (first.round.id, first.round.state) == (1, state)
        assert (second.round.id, second.round.state) == (0, State.ANNOTATED)
        ledger.rounds.commit(first, Done(), NOW)
        ledger.rounds.wait(second, Wait(NOW, "free again"))


@pytest.mark.parametrize("state", AFTER_LABELLING)
def test_only_the_oldest_labelled_round_goes_on(ledger: Ledger, state: State) -> None:
    advance(ledger, State.ANNOTATED)
    advance(ledger, State.ANNOTATED)
    while ledger.rounds.get(0).state is not state:
        ledger.rounds.commit(claim(ledger), Done(), NOW)
    held = claim(ledger)
    assert held.round.id == 0
    assert ledger.rounds.claim(NOW, "me", NOW + LEASE) is None
    ledger.rounds.fail(held, "no memory", NOW + 2 * LEASE, NOW)
    assert ledger.rounds.claim(NOW + LEASE, "me", NOW + 2 * LEASE) is None
    ledger.rounds.cancel(0, "by hand", NOW)
    assert claim(ledger).round.id == 1
