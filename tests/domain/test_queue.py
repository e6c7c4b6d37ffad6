"""What annotators are told to expect once every open task is answered."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.queue import Queue, state_without_tasks
from biasloop.domain.round import (
    AFTER_LABELLING,
    BEFORE_LABELLING,
    OpeningRules,
    PauseState,
    Round,
    Situation,
    State,
    obstacle_to_opening,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OPENING = OpeningRules(batch_size=20, min_new_items=5, interval=timedelta(0), budget=100)
USUAL = 6.4
"""Minutes that the closed round took to be made."""


def a_round(number: int, state: State, minutes_ago: float = 60, **facts: Any) -> Round:
    return Round(number, state, facts, NOW - timedelta(minutes=minutes_ago))


CLOSED = a_round(0, State.CLOSED, preparation_minutes=USUAL)


def after(
    *rounds: Round,
    opening: OpeningRules = OPENING,
    labels: int = 40,
    candidates: int = 50,
    pause: PauseState = PauseState.RUNNING,
    stop: str | None = None,
) -> tuple[Queue, int | None]:
    situation = Situation(NOW, rounds, labels, lambda: candidates, pause, stop)
    return state_without_tasks(opening, situation)


@pytest.mark.parametrize("state", BEFORE_LABELLING)
def test_a_batch_that_is_being_made_comes_when_it_usually_does(state: State) -> None:
    for passed, left in [(0, 7), (3, 4), (6, 1), (60, None)]:
        assert after(CLOSED, a_round(1, state, passed)) == (Queue.PREPARING, left)
    assert after(a_round(0, state, 3)) == (Queue.PREPARING, None)  # never measured


@pytest.mark.parametrize("state", [State.PUSHED, *AFTER_LABELLING])
def test_a_round_whose_tasks_are_answered_is_followed_by_the_next(state: State) -> None:
    assert after(CLOSED, a_round(1, state)) == (Queue.PREPARING, 7)
    assert after(CLOSED, a_round(1, state), labels=100) == (Queue.DONE, None)


def test_done_is_done() -> None:
    assert after(CLOSED, labels=100) == (Queue.DONE, None)
    assert after(CLOSED, candidates=0) == (Queue.DONE, None)
    assert after(CLOSED, candidates=4) == (Queue.DONE, None)
    assert after(CLOSED, stop="enough") == (Queue.DONE, None)


def test_a_pause_is_a_pause_and_draining_ends_with_the_open_round() -> None:
    making = a_round(1, State.SCORED)
    assert after(CLOSED, pause=PauseState.PAUSED) == (Queue.PAUSED, None)
    assert after(CLOSED, making, pause=PauseState.PAUSED) == (Queue.PAUSED, None)
    assert after(CLOSED, pause=PauseState.DRAINING) == (Queue.PAUSED, None)
    assert after(CLOSED, making, pause=PauseState.DRAINING)[0] is Queue.PREPARING


def test_the_interval_between_rounds_is_waited_for_as_well() -> None:
    hourly = OpeningRules(batch_size=20, min_new_items=5, interval=timedelta(hours=1), budget=100)
    round_ = a_round(1, State.PUSHED, 20, preparation_minutes=USUAL)
    assert after(round_, opening=hourly) == (Queue.PREPARING, 47)


states = st.lists(st.sampled_from(State), max_size=4)


@given(
    states, st.integers(0, 120), st.integers(0, 9), st.sampled_from(PauseState), st.integers(0, 90)
)
def test_a_batch_is_promised_if_and_only_if_the_loop_makes_one(
    live: list[State], labels: int, candidates: int, pause: PauseState, interval: int
) -> None:
    """With all tasks answered: what the loop decides once the answered rounds are labelled and the
    interval is over."""
    opening = replace(OPENING, interval=timedelta(minutes=interval))
    rounds = [a_round(n, state) for n, state in enumerate(live)]
    state, _ = after(*rounds, opening=opening, labels=labels, candidates=candidates, pause=pause)
    labelled = tuple(
        a_round(n, State.ANNOTATED if state is State.PUSHED else state)
        for n, state in enumerate(live)
    )
    later = NOW + timedelta(minutes=interval)
    situation = Situation(later, labelled, labels, lambda: candidates, pause)
    being_made = any(state in BEFORE_LABELLING for state in live)
    opens = obstacle_to_opening(opening, situation) is None
    makes = pause is not PauseState.PAUSED and (being_made or opens)
    assert (state is Queue.PREPARING) == makes
