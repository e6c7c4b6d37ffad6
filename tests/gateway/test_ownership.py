"""What is remembered of tasks and drafts, by a clock of our own."""

import asyncio
from typing import Any

import pytest

from biasloop.domain.person import Person
from biasloop.gateway.label_studio import Reply
from biasloop.gateway.ownership import REMEMBERED_SECONDS, Ownership
from biasloop.gateway.rules import Condition, match

OURS, THEIRS = 3, 4


class Replies:
    """Says of every task in which project it is, and counts how often."""

    def __init__(self, project: int) -> None:
        self.project = project
        self.asked = 0

    async def ask(self, *_: Any) -> Reply:
        self.asked += 1
        return Reply(200, "application/json", b'{"project": %d}' % self.project)


@pytest.mark.parametrize("start", [0.0, 1e6])  # a machine that has just started, and an old one
def test_only_what_was_seen_is_known_and_only_for_a_while(start: float) -> None:
    now = start
    there = Replies(THEIRS)
    ownership = Ownership(there, lambda: now)  # type: ignore[arg-type]
    request = match("GET", b"/api/tasks/7", [])
    assert request is not None

    def ours() -> bool:
        person: Any = Person.__new__(Person)
        return asyncio.run(ownership.holds(Condition.OUR_TASK, request, person, OURS))

    assert not ours()
    there.project = OURS
    assert ours()
    assert there.asked == 2
    there.project = THEIRS
    assert ours()  # remembered
    now += REMEMBERED_SECONDS
    assert not ours()
