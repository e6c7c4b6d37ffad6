"""States and steps, when a round may open, and how long to wait after a failure."""

from datetime import UTC, datetime, timedelta
from typing import Any

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
    is_last_batch,
    reason_not_to_open,
    retry_delay,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OPENING = OpeningRules(batch_size=20, min_new_items=5, interval=timedelta(minutes=10), budget=100)
SOON = "the next round may open at 2026-03-01 12:05 UTC"


def test_every_state_but_the_last_has_one_successor() -> None:
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


def reason_with(
    *rounds: Round, labels: int = 0, candidates: int = 50, pause: PauseState = PauseState.RUNNING
) -> str | None:
    return reason_not_to_open(OPENING, Situation(NOW, rounds, labels, lambda: candidates, pause))


def test_the_reason_of_the_stopping_rule_is_shown() -> None:
    situation = Situation(
        NOW, (a_round(State.CLOSED),), 0, lambda: 50, PauseState.RUNNING, "enough"
    )
    assert reason_not_to_open(OPENING, situation) == (
        "enough; `biasloop resume` opens rounds until the rule applies again"
    )


@pytest.mark.parametrize("state", State)
def test_only_one_round_is_with_annotators(state: State) -> None:
    reason = reason_with(a_round(state))
    if state in BEFORE_LABELLING + DURING_LABELLING:
        assert reason == "a round is already open"
    else:
        assert reason is None


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"pause": PauseState.PAUSED}, "paused; continue with `biasloop resume`"),
        ({"pause": PauseState.DRAINING}, "draining; continue with `biasloop resume`"),
        ({"labels": 99}, None),
        ({"labels": 100}, "the budget of 100 labels is spent; raise loop.budget to continue"),
        ({"candidates": 0}, "the pool has no more items to label; add ads with `biasloop import`"),
        ({"candidates": 4}, "4 unlabelled items, 5 needed"),
        ({"candidates": 5}, None),
    ],
)
def test_reasons_not_to_open(facts, reason: str | None) -> None:
    actual = reason_with(**facts)
    assert actual is None if reason is None else str(actual).startswith(reason)


def test_rounds_open_at_an_interval() -> None:
    assert reason_with(a_round(State.CLOSED, 5)) == SOON
    assert reason_with(a_round(State.CLOSED, 30), a_round(State.CANCELLED, 5, 1)) == SOON
    assert reason_with(a_round(State.CLOSED, 10)) is None


def test_the_pool_is_counted_last() -> None:
    def count() -> int:
        raise AssertionError("the pool was counted needlessly")

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


def test_the_last_batch_is_known() -> None:
    def is_last(**changed: Any) -> bool:
        facts = {"labels": 40, "pause": PauseState.RUNNING, "batch": 20, "stop": None} | changed
        situation = Situation(NOW, (), facts["labels"], lambda: 50, facts["pause"], facts["stop"])
        return is_last_batch(OPENING, situation, facts["batch"])

    assert not is_last()
    assert is_last(labels=100)
    assert is_last(batch=19)
    assert is_last(pause=PauseState.DRAINING)
    assert is_last(stop="enough")
