"""When a round counts as annotated: by open tasks and the people who answer them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from biasloop.domain.annotation import Annotation
from biasloop.domain.round import Done, Outcome, Round, State, Wait
from biasloop.rounds.steps.pull import pull
from support import annotations

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def vote(item: str, who: str, n: int) -> Annotation:
    at = NOW + timedelta(seconds=20 * n)
    return annotations.vote(item, "age", annotator=who, task_id=1, at=at)


def after(
    answers: int,
    people: int,
    tasks: int,
    low_water: int,
    *,
    rounds: Sequence[Round] = (),
    is_last: bool = False,
) -> Outcome:
    """The outcome when `answers` of the tasks are answered, by `people` annotators in turn, three
    in a minute."""
    items = [f"i{n}" for n in range(tasks)]
    return pull(
        tasks=set(items),
        annotations=[vote(item, f"p{n % people}", n) for n, item in enumerate(items[:answers])],
        low_water=low_water,
        rounds=rounds,
        is_last=is_last,
        per_item=1,
        pushed_at=NOW,
        deadline=timedelta(days=1),
        now=NOW,
        poll_interval=timedelta(seconds=5),
    )


@pytest.mark.parametrize(
    ("people", "tasks", "low_water", "open_at"),
    [
        (1, 50, 5, 5),
        (4, 50, 5, 20),
        (20, 50, 5, 25),  # half of the batch
        (20, 400, 5, 100),
        (20, 50, 0, 0),
        (3, 8, 6, 6),  # a setting over half of the batch holds
        (1, 3, 5, 2),  # somebody must have looked at it
    ],
)
def test_the_next_round_comes_at(people: int, tasks: int, low_water: int, open_at: int) -> None:
    done = after(tasks - open_at, people, tasks, low_water)
    assert isinstance(done, Done)
    assert done.facts["annotated"] == tasks - open_at
    assert done.facts["left_open"] == done.facts["low_water"]["mark"] == open_at
    waits = after(tasks - open_at - 1, people, tasks, low_water)
    assert isinstance(waits, Wait)
    assert f"{open_at + 1} of {tasks} tasks are open" in waits.why


def test_an_untouched_batch_waits_for_somebody() -> None:
    assert isinstance(after(0, 1, 3, 5), Wait)


SLOW = [Round(0, State.PUSHED, {"preparation_minutes": 5.0}, NOW)]
"""The rounds so far, if the only one took five minutes to make."""


def test_a_batch_that_takes_long_to_make_is_begun_earlier() -> None:
    done = after(35, 1, 50, 5, rounds=SLOW)  # 15 = 3 a minute x 5 minutes
    assert isinstance(done, Done)
    assert done.facts == {
        "annotated": 35,
        "left_open": 15,
        "labels_per_minute": 3,
        "low_water": {"mark": 15, "labels_per_minute": 3, "minutes": 5},
    }
    waits = after(34, 1, 50, 5, rounds=SLOW)
    assert isinstance(waits, Wait)
    assert waits.why.startswith(
        "16 of 50 tasks are open; the next round comes at 15 "
        "(3.0 labels a minute, 5.0 minutes to make a batch)"
    )


def test_nobody_waits_for_a_batch_after_the_last_one() -> None:
    assert isinstance(after(35, 1, 50, 5, rounds=SLOW, is_last=True), Wait)
    done = after(45, 1, 50, 5, rounds=SLOW, is_last=True)
    assert isinstance(done, Done)
    assert done.facts["labels_per_minute"] == 3  # for those that come after all
    assert done.facts["low_water"] == {"mark": 5, "labels_per_minute": None, "minutes": None}
