"""Label Studio over its API, behind the port `LabelStudio`."""

import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from typing import Any, Self, TypeVar

from biasloop.errors import LabelStudioDown, LabelStudioRefused
from biasloop.labelstudio.calls import calling
from biasloop.labelstudio.config import LabelConfig, same_config
from biasloop.labelstudio.signup import sign_up
from biasloop.labelstudio.tasks import (
    annotators,
    task_filter,
    timestamp,
    to_html,
    to_json,
    to_state,
)
from biasloop.ports import Account, LabelTask, RawAnnotation, TaskState

MARKER = "Made by biasloop, which sends tasks and settings here: please change them there."
"""The description of our project; with the title it tells ours from others'."""

T = TypeVar("T")

PUSH_SIZE = 500
LOOKUP_SIZE = 300  # item ids in one URL, which must stay under 16 KB
PAGE_SIZE = 400
WITH_ANNOTATIONS = (
    "id,data,updated_at,overlap,annotations,result,was_cancelled,completed_by,lead_time"
)
"""`include` thins out tasks and annotations alike: half the time of the whole."""

WAKING = ("ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED")


@dataclass(frozen=True, slots=True)
class Server:
    """Who answers, and as whom we speak."""

    version: str
    email: str


class LabelStudioClient:
    """The one project of this campaign in Label Studio (see the port for what methods promise).

    `token` is a legacy token or a personal access token; `project` the id that `ensure_project`
    returned before, so that a renamed project is found too. Close it, or use it in a `with`.
    """

    def __init__(
        self,
        url: str,
        token: str,
        config: LabelConfig,
        project: int | None = None,
        timeout: float = 60.0,
    ) -> None:
        import httpx
        from label_studio_sdk import LabelStudio

        self.url = url.rstrip("/")
        self._config = config
        self._project = project
        self._timeout = timeout
        self._emails: dict[int, str] = {}
        self._http = httpx.Client(timeout=timeout, follow_redirects=True)
        with self._calling("sign in"):
            # No retries: the SDK would repeat an import that the server has committed already.
            self._sdk = LabelStudio(
                base_url=self.url, api_key=token, max_retries=0, httpx_client=self._http
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes its connections."""
        self._http.close()

    def whoami(self) -> Server:
        """Checks address and token; for `biasloop doctor`."""
        with self._calling("sign in"):
            email = self._sdk.users.whoami().email
            return Server(version=str(self._sdk.versions.get().release), email=str(email))

    # --- project ------------------------------------------------------------------------------

    def ensure_project(self, title: str, label_config: str, instruction: str) -> int:
        """Makes the project or finds it again; `instruction` is Markdown.

        Raises LabelStudioRefused when it has another label config: annotations made under one
        must not be read under another.
        """
        settings = {
            "expert_instruction": to_html(instruction),
            "show_instruction": True,
            "sampling": "Sequential sampling",
            "show_collab_predictions": False,
        }
        with self._calling(f"make or find the project {title!r}"):
            project = self._find(title)
            if project is None:
                made = self._sdk.projects.create(
                    title=title, description=MARKER, label_config=label_config, **settings
                )
                # A second process on this workspace may have made it as well: the first one counts.
                project = self._find(title)
                if project.id != made.id:
                    with _may_be_gone():
                        self._sdk.projects.delete(made.id)
            elif not same_config(project.label_config, label_config):
                raise LabelStudioRefused(
                    f"project {project.id} ({title!r}) at {self.url} has another label config than "
                    "the campaign; `biasloop pause --drain` first, then change it, or start a new "
                    "workspace"
                )
            elif any(getattr(project, name) != value for name, value in settings.items()):
                self._sdk.projects.update(project.id, **settings)
        self._project = int(project.id)
        return self._project

    def _find(self, title: str) -> Any:
        if self._project is not None:
            return self._sdk.projects.get(self._project)
        same = [p for p in self._sdk.projects.list(title=title) if p.title == title]
        ours = sorted(p.id for p in same if p.description == MARKER)
        if same and not ours:
            raise LabelStudioRefused(
                f"Label Studio at {self.url} has a project {title!r} that biasloop did not make; "
                "rename one of the two"
            )
        return self._sdk.projects.get(ours[0]) if ours else None

    def task_url(self, task_id: int | None = None) -> str:
        """Where a person labels: the stream of tasks, or one task."""
        what = "labeling=1" if task_id is None else f"task={task_id}"
        return f"{self.url}/projects/{self.project}/data?{what}"

    @property
    def project(self) -> int:
        """Its id. Raises LabelStudioRefused before there is one."""
        if self._project is None:
            raise LabelStudioRefused(
                f"there is no project for this campaign at {self.url} yet; `biasloop up` makes it"
            )
        return self._project

    def add_webhook(self, url: str) -> None:
        """Has Label Studio call `url`, without content, when an annotation comes, changes or goes.

        It never retries and a call may get lost: this wakes the loop, the poll is the truth.
        """
        with self._calling("set up the webhook"):
            hooks = self._sdk.webhooks.list(project=str(self.project))
            if not any(hook.url == url and hook.is_active for hook in hooks):
                self._sdk.webhooks.create(
                    url=url,
                    project=self.project,
                    actions=list(WAKING),
                    send_for_all_actions=False,
                    send_payload=False,
                )

    # --- tasks --------------------------------------------------------------------------------

    def task_ids(self, item_ids: Sequence[str]) -> dict[str, int]:
        """Task id per item id, for those that are tasks already."""
        return {item_id: tasks[0] for item_id, tasks in self._lookup(item_ids).items()}

    def push(self, tasks: Sequence[LabelTask]) -> dict[str, int]:
        """Sends only what is missing, in this order; returns the task id of every item.

        A lost answer does not mean that the server did nothing, so what it has is looked up,
        never assumed. Should an import of an earlier call be committed only now, its tasks are
        doubles and go.
        """
        item_ids = [task.item_id for task in tasks]
        known = self.task_ids(item_ids)
        missing = [task for task in tasks if task.item_id not in known]
        for chunk in _chunks(missing, PUSH_SIZE):
            self._import(chunk)
        if missing:
            found = self._lookup(item_ids)
            self.withdraw([double for ids in found.values() for double in ids[1:]])
            known = {item_id: ids[0] for item_id, ids in found.items()}
        return {item_id: known[item_id] for item_id in item_ids}

    def _import(self, tasks: Sequence[LabelTask]) -> None:
        try:
            with self._calling(f"import {len(tasks)} tasks"):
                self._sdk.projects.import_tasks(
                    self.project, request=[to_json(task, self._config) for task in tasks]
                )
        except LabelStudioDown:
            if len(self.task_ids([task.item_id for task in tasks])) < len(tasks):
                raise

    def _lookup(self, item_ids: Sequence[str]) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for chunk in _chunks(item_ids, LOOKUP_SIZE):
            wanted = task_filter("data.item_id", "in_list", "String", list(chunk))
            for task in self._list([wanted], page_size=10 * LOOKUP_SIZE, include="id,data"):
                found.setdefault(task["data"]["item_id"], []).append(task["id"])
        return found

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
        last = 0
        while True:
            # By the last id, not by page number: deletions meanwhile would shift the pages.
            after = task_filter("id", "greater", "Number", last)
            page = self._list([*since, after], page_size=PAGE_SIZE, include=WITH_ANNOTATIONS)
            emails = self._addresses(annotators(page))
            yield from (
                to_state(task, emails, self._config) for task in page if "item_id" in task["data"]
            )
            if len(page) < PAGE_SIZE:
                return
            last = page[-1]["id"]

    def _list(
        self, filters: Sequence[dict[str, Any]], *, page_size: int, include: str
    ) -> list[dict[str, Any]]:
        query = {
            "filters": {"conjunction": "and", "items": list(filters)},
            "ordering": ["tasks:id"],
        }
        with self._calling("list tasks"):
            page = self._sdk.tasks.list(
                project=self.project,
                query=json.dumps(query, separators=(",", ":")),
                fields="all" if "annotations" in include else "task_only",
                include=include,
                page_size=page_size,
                resolve_uri=False,
            )
            return [task.dict() for task in page.items or ()]

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
        with self._calling(f"give annotation {annotation.id} back"), _may_be_gone():
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

    # --- people -------------------------------------------------------------------------------

    def add_annotator(self, email: str, password: str) -> Account:
        """Makes an account, or finds it (its password stays what it was); it may label.

        Every member of a Label Studio Community organization may label all of its projects.
        """
        if account := self._account(email):
            return account
        with self._calling("ask for an invitation"):
            invitation = self._sdk.organizations.invites.get_invite_link().token
        sign_up(self.url, str(invitation), email, password, self._timeout)
        account = self._account(email)
        if account is None:
            raise LabelStudioRefused(
                f"the account {email} is in another organization of Label Studio at {self.url}; "
                "choose another address"
            )
        return replace(account, new=True)

    def _account(self, email: str) -> Account | None:
        with self._calling("list accounts"):
            users = self._sdk.users.list()
        return next(
            (Account(int(u.id), u.email) for u in users if u.email.lower() == email.lower()), None
        )

    def _addresses(self, numbers: set[int]) -> dict[int, str]:
        if not numbers <= self._emails.keys():
            with self._calling("list accounts"):
                self._emails |= {int(user.id): user.email for user in self._sdk.users.list()}
        return self._emails

    def _calling(self, purpose: str) -> AbstractContextManager[None]:
        return calling(self.url, purpose)


@contextmanager
def _may_be_gone() -> Iterator[None]:
    from label_studio_sdk.core.api_error import ApiError

    try:
        yield
    except ApiError as error:
        if error.status_code != HTTPStatus.NOT_FOUND:
            raise


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
