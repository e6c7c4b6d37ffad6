"""Sends, lists, shows again and withdraws the tasks of our project in Label Studio."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import Any, TypeVar

from biasloop.domain.task import LabelTask, PushedTask, RawAnnotation, TaskState
from biasloop.errors import LabelStudioDown
from biasloop.labelstudio.calls import failed_inside, may_be_gone
from biasloop.labelstudio.connection import Connection
from biasloop.labelstudio.tasks import (
    UNREADABLE,
    annotators,
    task_filter,
    timestamp,
    to_json,
    to_state_or_unreadable,
)

T = TypeVar("T")
Page = list[dict[str, Any]]
"""Tasks as Label Studio lists them."""

PUSH_SIZE = 1000
LOOKUP_SIZE = 300  # item ids in one URL, which must stay under 16 KB
PAGE_SIZE = 400  # on larger pages the server takes longer per task
WITH_ANNOTATIONS = (
    "id,data,created_at,updated_at,overlap,is_labeled,annotations,result,was_cancelled,completed_by,"
    "lead_time,draft_created_at,parent_prediction,import_id"
)
"""The fields of tasks and annotations that are read; reading all fields takes twice as long."""
WITHOUT_ANNOTATIONS = "id,data,updated_at,overlap,is_labeled"
MAX_UNREADABLE = 20  # on one page; beyond it is not single records that fail


class TaskClient(Connection):
    """See the port `LabelStudio` for what the methods guarantee."""

    def task_ids(self, item_ids: Sequence[str]) -> dict[str, list[int]]:
        """Ids of the tasks of each item that has any; more than one if there are duplicates."""
        ids: dict[str, list[int]] = {}
        for chunk in _chunks(item_ids, LOOKUP_SIZE):
            in_chunk = task_filter("data.item_id", "in_list", "String", list(chunk))
            for task in self._tasks("id,data", [in_chunk]):
                ids.setdefault(task["data"]["item_id"], []).append(task["id"])
        return ids

    def push(self, tasks: Sequence[LabelTask], newest: PushedTask | None = None) -> dict[str, int]:
        """Sends the tasks that the server lacks, in this order; returns the task id of every item.

        The server may have done its work although its answer was lost, so the existing tasks are
        always looked up. Tasks of an interrupted attempt come after the `newest` known task; if
        that was deleted, all tasks are searched, because ids of deleted tasks may be reused. If
        the server commits an import of an earlier call during this one, there are more tasks than
        expected; then the later of two tasks of an item is deleted as a duplicate.
        """
        after = newest.task_id if newest and self._exists(newest) else 0
        existing = self._newer_than(after)
        last = max((task_id for ids in existing.values() for task_id in ids), default=after)
        missing = [task for task in tasks if task.item_id not in existing]
        for chunk in _chunks(missing, PUSH_SIZE):
            for item_id, ids in self._import(chunk, last).items():
                existing.setdefault(item_id, []).extend(ids)
                last = max(last, *ids)
        if missing and self._count(after) != sum(map(len, existing.values())):
            existing = self._newer_than(after)
        self.withdraw([extra for item_id, ids in existing.items() if item_id for extra in ids[1:]])
        if deleted := [task.item_id for task in tasks if task.item_id not in existing]:
            raise LabelStudioDown(
                f"{len(deleted)} tasks were deleted from project {self.project} at {self.url} "
                "while they were sent; the next attempt sends them again"
            )
        return {task.item_id: existing[task.item_id][0] for task in tasks}

    def _import(self, tasks: Sequence[LabelTask], last: int) -> dict[str, list[int]]:
        """The ids of the new tasks of every item; all of them are above `last`."""
        ids: Sequence[int] | None = None
        failure: LabelStudioDown | None = None
        try:
            with self._calling(f"import {len(tasks)} tasks"):
                request = [to_json(task, self._config) for task in tasks]
                answer = self._sdk.projects.import_tasks(
                    self.project, request=request, return_task_ids=True
                )
                ids = answer.task_ids
        except LabelStudioDown as error:
            failure = error
        if ids and len(ids) == len(tasks):
            return {task.item_id: [task_id] for task, task_id in zip(tasks, ids, strict=True)}
        imported = self._newer_than(last)
        if failure and not all(task.item_id in imported for task in tasks):
            raise failure
        return imported

    def _newer_than(self, last: int) -> dict[str, list[int]]:
        """Task ids above `last` by item id; "" for tasks that are not ours."""
        ids: dict[str, list[int]] = {}
        for task in self._tasks("id,data", above=last):
            ids.setdefault(task["data"].get("item_id", ""), []).append(task["id"])
        return ids

    def _exists(self, task: PushedTask) -> bool:
        tasks = self._page([task_filter("id", "equal", "Number", task.task_id)], "id,data")
        return any(same["data"].get("item_id") == task.item_id for same in tasks)

    def _count(self, after: int) -> int:
        """How many tasks have an id above `after`."""
        with self._calling("count tasks"):
            return int(self._list([_above(after)], "id", 1).response.total)

    def changed_since(self, moment: datetime | None) -> Iterator[TaskState]:
        """Tasks updated at or after `moment` by the server's clock (None: all), ordered by task id.

        A new, changed, skipped or deleted annotation updates `updated_at` of its task; a draft
        does not. The time is set slightly before the change becomes visible, so `moment` should be
        a few seconds before the newest `updated_at` read so far. Deleted tasks are not reported:
        compare `task_ids`. Tasks without an item id are not ours and are left out.

        This does not use the export, which would leave a copy on Label Studio's disk each time.
        """
        since = (
            []
            if moment is None
            else [task_filter("updated_at", "greater_or_equal", "Datetime", timestamp(moment))]
        )
        for page in self._pages(WITH_ANNOTATIONS, since):
            emails = self._emails_of(annotators(page))
            with self._calling("read tasks"):
                ours = [task for task in page if "item_id" in task["data"]]
                states = [to_state_or_unreadable(task, emails, self._config) for task in ours]
            yield from states

    def _tasks(
        self, include: str, filters: Sequence[dict[str, Any]] = (), above: int = 0
    ) -> Iterator[dict[str, Any]]:
        for page in self._pages(include, filters, above):
            yield from page

    def _pages(
        self, include: str, filters: Sequence[dict[str, Any]] = (), above: int = 0
    ) -> Iterator[Page]:
        """Pages of tasks in order of id. Each begins after the last id, not at a page number, which
        deletions would shift. Raises LabelStudioDown when ids do not ascend: a task listed twice
        would double its answers, and pages that repeat would never end.

        The next page is requested while the caller works on this one.
        """
        with ThreadPoolExecutor(1) as pool:
            future: Future[Page] | None = pool.submit(
                self._readable_page, [*filters, _above(above)], include
            )
            while future:
                page = future.result()
                with self._calling("list tasks"):
                    above = _last_id(page, above)
                future = None
                if len(page) == PAGE_SIZE:
                    rest = [*filters, _above(above)]
                    future = pool.submit(self._readable_page, rest, include)
                yield page

    def _readable_page(self, filters: Sequence[dict[str, Any]], include: str) -> Page:
        """A page of tasks. One with an annotation that Label Studio cannot list comes without its
        annotations and with `UNREADABLE`; all others are as they should be."""
        try:
            return self._page(filters, include)
        except LabelStudioDown as error:
            if "annotations" not in include or not failed_inside(error):
                raise
            bare = self._page(filters, WITHOUT_ANNOTATIONS)
            page = self._narrow_down(bare)
            if sum(UNREADABLE in task for task in page) > MAX_UNREADABLE:
                raise
            return page

    def _narrow_down(self, bare: Page) -> Page:
        """These tasks with their annotations, halved until those that fail are found."""
        if not bare:
            return []
        first, last = bare[0]["id"], bare[-1]["id"]
        try:
            return self._page([_above(first - 1), _below(last + 1)], WITH_ANNOTATIONS)
        except LabelStudioDown as error:
            if not failed_inside(error):
                raise
        if len(bare) == 1:
            return [bare[0] | {UNREADABLE: True}]
        half = len(bare) // 2
        return self._narrow_down(bare[:half]) + self._narrow_down(bare[half:])

    def _page(self, filters: Sequence[dict[str, Any]], include: str) -> Page:
        with self._calling("list tasks"):
            return [task.dict() for task in self._list(filters, include, PAGE_SIZE).items or ()]

    def _list(self, filters: Sequence[dict[str, Any]], include: str, size: int) -> Any:
        query = {
            "filters": {"conjunction": "and", "items": list(filters)},
            "ordering": ["tasks:id"],
        }
        return self._sdk.tasks.list(
            project=self.project,
            query=json.dumps(query, separators=(",", ":")),
            fields="all" if "annotations" in include else "task_only",
            include=include,
            page_size=size,
            resolve_uri=False,
        )

    def set_overlap(self, task_id: int, overlap: int, *, done: bool) -> None:
        """Shows a task to annotators who have not answered it until it has `overlap` annotations;
        `done` says whether it already has that many.

        `done` must be given, because Label Studio updates it only when annotations change.
        """
        with self._calling(f"set the number of votes for task {task_id}"):
            self._sdk.tasks.update(str(task_id), overlap=overlap, is_labeled=done)

    def give_back(self, annotation: RawAnnotation) -> None:
        """Deletes an annotation, so that its annotator is shown the task again. An annotation that
        was changed or deleted since it was read is left alone."""
        with self._calling(f"give annotation {annotation.id} back"), may_be_gone():
            current = self._sdk.annotations.get(annotation.id)
            if current.updated_at == annotation.updated_at:
                self._sdk.annotations.delete(annotation.id)

    def withdraw(self, task_ids: Sequence[int]) -> None:
        """Deletes tasks with their annotations; ids that do not exist any more are no error."""
        for chunk in _chunks(task_ids, PUSH_SIZE):
            with self._calling(f"withdraw {len(chunk)} tasks"):
                self._sdk.actions.create(
                    id="delete_tasks",
                    project=self.project,
                    selected_items={"all": False, "included": list(chunk)},
                )

    def _emails_of(self, account_ids: set[int]) -> dict[int, str]:
        if not account_ids <= self._emails.keys():
            with self._calling("list accounts"):
                self._emails |= {int(user.id): user.email for user in self._sdk.users.list()}
        return self._emails


def _last_id(page: Page, above: int) -> int:
    """The id of the last task; `above` if the page is empty. Raises ValueError unless the ids
    ascend, and all are above `above`."""
    for task in page:
        if task["id"] <= above:
            raise ValueError(f"task {task['id']} is listed after task {above}")
        above = task["id"]
    return above


def _above(last: int) -> dict[str, Any]:
    return task_filter("id", "greater", "Number", last)


def _below(first: int) -> dict[str, Any]:
    return task_filter("id", "less", "Number", first)


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
