"""What annotators wait for when they have answered every open task."""

from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from math import ceil

from biasloop.domain.low_water import usual_minutes
from biasloop.domain.round import (
    BEFORE_LABELLING,
    DURING_LABELLING,
    Hold,
    OpeningRules,
    PauseState,
    Situation,
    State,
    obstacle_to_opening,
)


class Queue(StrEnum):
    """How the queue of all annotators stands."""

    WORK = "work"  # open tasks exist
    PREPARING = "preparing"  # the next batch comes
    PAUSED = "paused"  # it comes once somebody resumes the loop
    DONE = "done"  # none comes for now: budget spent, too few items in the pool, stopping rule


def state_without_tasks(opening: OpeningRules, situation: Situation) -> tuple[Queue, int | None]:
    """What comes after the last open task was answered, and the usual minutes until then, at least
    1; None for minutes if nothing comes, if no batch was measured yet, or if it is overdue.

    The round whose tasks are all answered counts as labelled, as it does from the next tick on.
    """
    if situation.pause is PauseState.PAUSED:
        return Queue.PAUSED, None
    for round_ in situation.rounds:
        if round_.state in BEFORE_LABELLING:
            return Queue.PREPARING, _minutes_left(situation, round_.opened_at - situation.now)
    rounds = tuple(
        replace(r, state=State.ANNOTATED) if r.state in DURING_LABELLING else r
        for r in situation.rounds
    )
    then = replace(situation, rounds=rounds)
    obstacle = obstacle_to_opening(opening, then)
    if obstacle is not None and obstacle.until is not None:  # what else will there be in the way?
        then = replace(then, now=obstacle.until)
        obstacle = obstacle_to_opening(opening, then)
    if obstacle is None:
        return Queue.PREPARING, _minutes_left(situation, then.now - situation.now)
    return Queue.PAUSED if obstacle.hold is Hold.PAUSED else Queue.DONE, None


def _minutes_left(situation: Situation, until_opening: timedelta) -> int | None:
    """The usual minutes from now until the batch of a round that opens (or was opened) then."""
    usual = usual_minutes(situation.rounds)
    if usual is None:
        return None
    left = usual + until_opening / timedelta(minutes=1)
    return max(1, ceil(left)) if left > 0 else None
