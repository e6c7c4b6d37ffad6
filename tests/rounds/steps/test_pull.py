"""When a round counts as annotated: by open tasks and the people who answer them."""

from datetime import UTC, datetime, timedelta

import pytest

from biasloop.domain.annotation import Annotation
from biasloop.domain.batch import Arm, Selection
from biasloop.domain.round import Done, Outcome, Wait
from biasloop.rounds.steps.pull import pull
from support import annotations

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def vote(item: str, who: str) -> Annotation:
    return annotations.vote(item, "age", annotator=who, task_id=1)


def after(answers: int, people: int, tasks: int, low_water: int) -> Outcome:
    """The outcome when `answers` of the tasks are answered, by `people` annotators in turn."""
    items = [f"i{n}" for n in range(tasks)]
    return pull(
        selections=[Selection(item, n, Arm.ACQUISITION, None, n) for n, item in enumerate(items)],
        pushed=items,
        annotations=[vote(item, f"p{n % people}") for n, item in enumerate(items[:answers])],
        low_water=low_water,
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
    assert done.facts == {"annotated": tasks - open_at, "left_open": open_at}
    waits = after(tasks - open_at - 1, people, tasks, low_water)
    assert isinstance(waits, Wait)
    assert f"{open_at + 1} of {tasks} tasks are open" in waits.why


def test_an_untouched_batch_waits_for_somebody() -> None:
    assert isinstance(after(0, 1, 3, 5), Wait)
