"""Whose the task, annotation or draft of a request is."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from biasloop.domain.person import Person
from biasloop.gateway.label_studio import LabelStudioSessions
from biasloop.gateway.rules import Condition, Match
from biasloop.gateway.stripping import author_of

REMEMBERED = 50_000
"""Facts that are remembered; beyond that the oldest are asked again."""
REMEMBERED_SECONDS = 600.0
"""For how long: on SQLite, Label Studio gives the ids of what was deleted again."""


class Ownership:
    """Checks the conditions of the rules. `clock` gives seconds. Every method raises
    LabelStudioError."""

    def __init__(
        self, label_studio: LabelStudioSessions, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._label_studio = label_studio
        self._clock = clock
        self._noted: OrderedDict[tuple[Any, ...], float] = OrderedDict()

    async def holds(self, condition: Condition, match: Match, person: Person, project: int) -> bool:
        """Whether this condition holds; `project` is the campaign's."""
        numbers = match.numbers
        if numbers.get("project", project) != project:
            return False
        match condition:
            case Condition.OUR_PROJECT:
                return "project" in numbers
            case Condition.OUR_TASK:
                return await self._is_our_task(numbers["task"], person, project)
            case Condition.OFFERED_TASK:
                return await self._was_offered(numbers["task"], person, project)
            case Condition.OWN_ANNOTATION:
                return await self._is_own_annotation(numbers, person, project)
            case Condition.OWN_SKIP:
                annotation = await self._get(person, f"/api/annotations/{numbers['annotation']}/")
                return bool(annotation.get("was_cancelled"))
            case Condition.OWN_DRAFT:
                return await self.is_own_draft(numbers["draft"], person, project)

    def note_offer(self, task: int, person: Person, project: int) -> None:
        """Remembers that Label Studio offered a task of our project to this person."""
        self._note("task", task, project)
        self._note("offer", task, person.id, project)

    async def is_own_draft(self, draft: int, person: Person, project: int) -> bool:
        """Whether a draft is this person's, on a task of the campaign."""
        if not self._is_known("draft", draft, person.id, project):
            values = await self._get(person, f"/api/drafts/{draft}/")
            task = values.get("task")
            if values.get("user") != person.account or not isinstance(task, int):
                return False
            if not await self._is_our_task(task, person, project):
                return False
            self._note("draft", draft, person.id, project)
        return True

    async def _is_our_task(self, task: int, person: Person, project: int) -> bool:
        if not self._is_known("task", task, project):
            if (await self._get(person, f"/api/tasks/{task}/")).get("project") != project:
                return False
            self._note("task", task, project)
        return True

    async def _was_offered(self, task: int, person: Person, project: int) -> bool:
        """By Label Studio's own record, if we do not remember it."""
        if not self._is_known("offer", task, person.id, project):
            path = f"/api/projects/{project}/label-stream-history"
            history = (await self._label_studio.ask(person, "GET", path)).items()
            if task not in {entry.get("taskId") for entry in history}:
                return False
            self._note("offer", task, person.id, project)
        return True

    async def _is_own_annotation(
        self, numbers: Mapping[str, int], person: Person, project: int
    ) -> bool:
        values = await self._get(person, f"/api/annotations/{numbers['annotation']}/")
        task = values.get("task")
        return (
            author_of(values) == await self._label_studio.user_of(person)
            and isinstance(task, int)
            and numbers.get("task", task) == task
            and await self._is_our_task(task, person, project)
        )

    def _is_known(self, *fact: Any) -> bool:
        noted_at = self._noted.get(fact)
        return noted_at is not None and self._clock() < noted_at + REMEMBERED_SECONDS

    def _note(self, *fact: Any) -> None:
        self._noted[fact] = self._clock()
        self._noted.move_to_end(fact)
        while len(self._noted) > REMEMBERED:
            self._noted.popitem(last=False)

    async def _get(self, person: Person, path: str) -> dict[str, Any]:
        """What Label Studio says of something; nothing if it does not exist."""
        return (await self._label_studio.ask(person, "GET", path)).values()
