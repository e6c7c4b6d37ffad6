"""States and steps, when a round may open, and how long a failure waits."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from biasloop.domain.round import (
    AFTER_LABELLING,
    BEFORE_LABELLING,
    DURING_LABELLING,
    FINISHED,
    STEPS,
    OpeningRules,
    PauseState,
    Round,
    Situation,
    State,
    reason_not_to_open,
    retry_delay,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OPENING = OpeningRules(batch_size=20, min_new_items=5, interval=timedelta(minutes=10), budget=100)
SOON = "the next round may open at 2026-03-01 12:05 UTC"


def test_every_state_but_the_last_has_one_way_on() -> None:
    states = list(STEPS)
    assert [after for _, after in STEPS.values()] == [*states[1:], State.CLOSED]
    assert set(State) == {*STEPS, *FINISHED}
    assert (*BEFORE_LABELLING, *DURING_LABELLING, *AFTER_LABELLING) == tuple(states)
    assert len({step for step, _ in STEPS.values()}) == len(STEPS)


def a_round(state: State, minutes_ago: float = 60, number: int = 0) -> Round:
    return Round(number, state, {}, NOW - timedelta(minutes=minutes_ago))


@pytest.mark.parametrize("state", State)
def test_the_step_follows_from_the_state(state: State) -> None:
    step = a_round(state).step
    assert step is None if state in FINISHED else step == STEPS[state][0]


def why_not(
    *rounds: Round, labels: int = 0, candidates: int = 50, pause: PauseState = PauseState.RUNNING
) -> str | None:
    return reason_not_to_open(OPENING, Situation(NOW, rounds, labels, lambda: candidates, pause))


def test_what_the_stopping_rule_says_is_passed_on() -> None:
    situation = Situation(
        NOW, (a_round(State.CLOSED),), 0, lambda: 50, PauseState.RUNNING, "enough"
    )
    assert reason_not_to_open(OPENING, situation) == (
        "enough; `biasloop resume` opens rounds until it says so again"
    )


@pytest.mark.parametrize("state", State)
def test_only_one_round_is_on_its_way_to_people(state: State) -> None:
    reason = why_not(a_round(state))
    if state in BEFORE_LABELLING + DURING_LABELLING:
        assert reason == "a round is already open"
    else:
        assert reason is None


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"pause": PauseState.PAUSED}, "paused; `biasloop resume` goes on"),
        ({"pause": PauseState.DRAINING}, "draining; `biasloop resume` goes on"),
        ({"labels": 99}, None),
        ({"labels": 100}, "the budget of 100 labels is spent; raise loop.budget to go on"),
        ({"candidates": 0}, "the pool holds nothing more to ask about; `biasloop import` adds ads"),
        ({"candidates": 4}, "4 unlabelled items, 5 needed"),
        ({"candidates": 5}, None),
    ],
)
def test_what_keeps_a_round_from_opening(facts, reason: str | None) -> None:
    found = why_not(**facts)
    assert found is None if reason is None else str(found).startswith(reason)


def test_rounds_keep_their_distance() -> None:
    assert why_not(a_round(State.CLOSED, 5)) == SOON
    assert why_not(a_round(State.CLOSED, 30), a_round(State.CANCELLED, 5, 1)) == SOON
    assert why_not(a_round(State.CLOSED, 10)) is None


def test_the_pool_is_counted_only_when_all_else_says_yes() -> None:
    def count() -> int:
        raise AssertionError("counted a whole pool for nothing")

    closed = a_round(State.CLOSED)
    for situation in (
        Situation(NOW, (closed,), 100, count, PauseState.RUNNING),
        Situation(NOW, (closed,), 0, count, PauseState.PAUSED),
        Situation(NOW, (a_round(State.PUSHED),), 0, count, PauseState.RUNNING),
        Situation(NOW, (a_round(State.CLOSED, 5),), 0, count, PauseState.RUNNING),
    ):
        assert reason_not_to_open(OPENING, situation) is not None


# --- back-off -------------------------------------------------------------------------------------


def test_the_wait_doubles() -> None:
    seconds = [retry_delay(n, base=2, cap=30).total_seconds() for n in range(1, 7)]
    assert seconds == [2, 4, 8, 16, 30, 30]


@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(60, 3600))
@example(5_000, 2, 300)  # Label Studio down for weeks
def test_the_wait_grows_up_to_its_cap(attempts: int, base: int, cap: int) -> None:
    wait = retry_delay(attempts, base, cap).total_seconds()
    assert base <= wait <= cap
    assert wait <= retry_delay(attempts + 1, base, cap).total_seconds()
