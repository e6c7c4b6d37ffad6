"""The tasks of our project in Label Studio: sent, listed, shown again and withdrawn."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import Any, TypeVar

from biasloop.domain.task import LabelTask, PushedTask, RawAnnotation, TaskState
from biasloop.errors import LabelStudioDown
from biasloop.labelstudio.calls import may_be_gone
from biasloop.labelstudio.connection import Connection
from biasloop.labelstudio.tasks import annotators, task_filter, timestamp, to_json, to_state

T = TypeVar("T")

PUSH_SIZE = 1000
LOOKUP_SIZE = 300  # item ids in one URL, which must stay under 16 KB
PAGE_SIZE = 400  # the server's seconds per task grow with the size of a page
WITH_ANNOTATIONS = (
    "id,data,updated_at,overlap,annotations,result,was_cancelled,completed_by,lead_time"
)
"""`include` thins out tasks and annotations alike: half the time of the whole."""


class TaskClient(Connection):
    """See the port `LabelStudio` for what the methods promise."""

    def task_ids(self, item_ids: Sequence[str]) -> dict[str, list[int]]:
        """Ids of the tasks of each item that has any; more than one where there are doubles."""
        found: dict[str, list[int]] = {}
        for chunk in _chunks(item_ids, LOOKUP_SIZE):
            wanted = task_filter("data.item_id", "in_list", "String", list(chunk))
            for task in self._tasks("id,data", [wanted]):
                found.setdefault(task["data"]["item_id"], []).append(task["id"])
        return found

    def push(self, tasks: Sequence[LabelTask], newest: PushedTask | None = None) -> dict[str, int]:
        """Sends only what is missing, in this order; returns the task id of every item.

        A lost answer does not mean that the server did nothing, so what it has is looked up,
        never assumed: among the tasks after the `newest` known, where an attempt that was cut off
        left its own; among all if that one is gone, since ids of deleted tasks may come again.
        Should an import of an earlier call be committed only now, there are more of them than
        were counted; the later of two are doubles and go.
        """
        after = newest.task_id if newest and self._has(newest) else 0
        there = self._newer_than(after)
        last = max((task_id for ids in there.values() for task_id in ids), default=after)
        missing = [task for task in tasks if task.item_id not in there]
        for chunk in _chunks(missing, PUSH_SIZE):
            for item_id, ids in self._import(chunk, last).items():
                there.setdefault(item_id, []).extend(ids)
                last = max(last, *ids)
        if missing and self._count(after) != sum(map(len, there.values())):
            there = self._newer_than(after)
        self.withdraw([double for item_id, ids in there.items() if item_id for double in ids[1:]])
        if gone := [task.item_id for task in tasks if task.item_id not in there]:
            raise LabelStudioDown(
                f"{len(gone)} tasks were deleted from project {self.project} at {self.url} while "
                "they were sent; the next attempt sends them again"
            )
        return {task.item_id: there[task.item_id][0] for task in tasks}

    def _import(self, tasks: Sequence[LabelTask], last: int) -> dict[str, list[int]]:
        """The new tasks of every item; `last` is an id that they lie above."""
        ids: Sequence[int] | None = None
        lost: LabelStudioDown | None = None
        try:
            with self._calling(f"import {len(tasks)} tasks"):
                request = [to_json(task, self._config) for task in tasks]
                answer = self._sdk.projects.import_tasks(
                    self.project, request=request, return_task_ids=True
                )
                ids = answer.task_ids
        except LabelStudioDown as error:
            lost = error
        if ids and len(ids) == len(tasks):
            return {task.item_id: [task_id] for task, task_id in zip(tasks, ids, strict=True)}
        there = self._newer_than(last)
        if lost and not all(task.item_id in there for task in tasks):
            raise lost
        return there

    def _newer_than(self, last: int) -> dict[str, list[int]]:
        """Task ids above `last` by item id; "" for tasks that are not ours."""
        found: dict[str, list[int]] = {}
        for task in self._tasks("id,data", above=last):
            found.setdefault(task["data"].get("item_id", ""), []).append(task["id"])
        return found

    def _has(self, task: PushedTask) -> bool:
        found = self._page([task_filter("id", "equal", "Number", task.task_id)], "id,data").items
        return any(one.dict()["data"].get("item_id") == task.item_id for one in found or ())

    def _count(self, after: int) -> int:
        """How many tasks have an id above `after`."""
        return int(self._page([_above(after)], "id", page_size=1).response.total)

    def changed_since(self, moment: datetime | None) -> Iterator[TaskState]:
        """Tasks updated at or after `moment` by the server's clock (None: all), by task id.

        A new, changed, skipped or deleted annotation all move `updated_at` of their task; a draft
        does not. It is set a little before it can be seen, so let `moment` lie some seconds before
        the newest `updated_at` read so far. A task that is gone altogether is not told: compare
        `task_ids`. Tasks without an item id are not ours and left out.

        Not by the export: that leaves a copy of what it sends on Label Studio's disk each time.
        """
        since = (
            []
            if moment is None
            else [task_filter("updated_at", "greater_or_equal", "Datetime", timestamp(moment))]
        )
        for page in self._pages(WITH_ANNOTATIONS, since):
            emails = self._addresses(annotators(page))
            yield from (
                to_state(task, emails, self._config) for task in page if "item_id" in task["data"]
            )

    def _tasks(
        self, include: str, filters: Sequence[dict[str, Any]] = (), above: int = 0
    ) -> Iterator[dict[str, Any]]:
        for page in self._pages(include, filters, above):
            yield from page

    def _pages(
        self, include: str, filters: Sequence[dict[str, Any]] = (), above: int = 0
    ) -> Iterator[list[dict[str, Any]]]:
        """Tasks by id. By the last id, not by page number: deletions meanwhile would shift it.

        The server makes the next page while the caller works on this one.
        """
        with ThreadPoolExecutor(1) as ahead:
            asked: Future[Any] | None = ahead.submit(self._page, [*filters, _above(above)], include)
            while asked:
                page = [task.dict() for task in asked.result().items or ()]
                last = page[-1]["id"] if len(page) == PAGE_SIZE else None
                asked = last and ahead.submit(self._page, [*filters, _above(last)], include)
                yield page

    def _page(
        self, filters: Sequence[dict[str, Any]], include: str, page_size: int | None = None
    ) -> Any:
        query = {
            "filters": {"conjunction": "and", "items": list(filters)},
            "ordering": ["tasks:id"],
        }
        with self._calling("list tasks"):
            return self._sdk.tasks.list(
                project=self.project,
                query=json.dumps(query, separators=(",", ":")),
                fields="all" if "annotations" in include else "task_only",
                include=include,
                page_size=page_size or PAGE_SIZE,
                resolve_uri=False,
            )

    def set_overlap(self, task_id: int, overlap: int, *, done: bool) -> None:
        """Shows a task to people who have not answered it until it has `overlap` annotations;
        `done` says whether it has so many already.

        Label Studio draws that conclusion only when an annotation comes or goes, not from here.
        """
        with self._calling(f"set the votes wanted on task {task_id}"):
            self._sdk.tasks.update(str(task_id), overlap=overlap, is_labeled=done)

    def give_back(self, annotation: RawAnnotation) -> None:
        """Deletes an annotation, so that its author is shown the task again; one that changed
        since it was read, or is gone, is left alone."""
        with self._calling(f"give annotation {annotation.id} back"), may_be_gone():
            found = self._sdk.annotations.get(annotation.id)
            if found.updated_at == annotation.updated_at:
                self._sdk.annotations.delete(annotation.id)

    def withdraw(self, task_ids: Sequence[int]) -> None:
        """Deletes tasks (and what hangs on them); ids that are gone already are no error."""
        for chunk in _chunks(task_ids, PUSH_SIZE):
            with self._calling(f"withdraw {len(chunk)} tasks"):
                self._sdk.actions.create(
                    id="delete_tasks",
                    project=self.project,
                    selected_items={"all": False, "included": list(chunk)},
                )

    def _addresses(self, numbers: set[int]) -> dict[int, str]:
        if not numbers <= self._emails.keys():
            with self._calling("list accounts"):
                self._emails |= {int(user.id): user.email for user in self._sdk.users.list()}
        return self._emails


def _above(last: int) -> dict[str, Any]:
    return task_filter("id", "greater", "Number", last)


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
