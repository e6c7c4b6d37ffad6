"""Passes on what the rules let through, and strips what comes back."""

import json
import logging
from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from biasloop.domain.person import Person
from biasloop.gateway import stripping
from biasloop.gateway.bodies import MAX_BODY_BYTES, RefusedBody, read_body
from biasloop.gateway.canned import canned_reply
from biasloop.gateway.files import Files
from biasloop.gateway.label_studio import LabelStudioSessions, Reply
from biasloop.gateway.ownership import Ownership
from biasloop.gateway.page import labelling_page
from biasloop.gateway.rules import Body, Match, Treatment
from biasloop.labelstudio.label_config import LabelConfig
from biasloop.web.forms import is_cross_site
from biasloop.web.forms import read_body as read_bytes

log = logging.getLogger(__name__)

NEXT_TASK = "/api/dm/actions/"
CONFLICT = 409
"""What Label Studio replies to an annotation that it has already: its first reply got lost."""


class Refused(Exception):
    """A request that does not pass. The message says why."""


class Proxy:
    """Passes requests on in the name of a person. `wake` is called after each annotation that was
    saved; `project` gives the campaign's project, `controls` are what its interface holds."""

    def __init__(
        self,
        label_studio: LabelStudioSessions,
        project: Callable[[], int | None],
        wake: Callable[[], None],
        controls: LabelConfig,
    ) -> None:
        self._label_studio = label_studio
        self._project = project
        self._wake = wake
        self._data_keys = [key for key in (controls.value, controls.context) if key]
        # Spans may have labels that are none of the scheme, so those are not checked.
        self._labels = {controls.choices: controls.scheme.choices}
        self._ownership = Ownership(label_studio)
        self._files = Files(label_studio)

    async def pass_on(self, request: Request, match: Match, person: Person) -> Response:
        """The response to a request that a rule lets through.

        Raises Refused when a condition does not hold, LabelStudioError when Label Studio does not
        answer.
        """
        rule = match.rule
        if rule.method != "GET" and is_cross_site(request.headers):
            raise Refused("another site sent this")
        if rule.treatment is Treatment.ASSET:
            return await self._files.send(request, match.path, match.query)
        if rule.treatment is Treatment.CANNED:
            user = await self._label_studio.user_of(person)
            path = match.path.rstrip("/")
            return JSONResponse(canned_reply(path, user, person.account, self._data_keys))
        project = await run_in_threadpool(self._project)
        if project is None:
            raise Refused("there is no project yet")
        for condition in rule.conditions:
            if not await self._ownership.holds(condition, match, person, project):
                raise Refused(f"this is not so: {condition}")
        if rule.body is Body.NEXT_TASK:
            reply = await self._ask_for_task(person, project)
        else:
            body = await self._read_body(request, match, person, project)
            reply = await self._label_studio.ask(person, rule.method, match.path, match.query, body)
            creates = rule.method == "POST" and rule.changes_annotations
            if creates and reply.status == CONFLICT:
                reply = await self._save_again(match, person, body, reply)
        if rule.changes_annotations and reply.status < 300:
            self._wake()
        return await self._strip(match, reply, person, project)

    async def has_task_for(self, person: Person) -> bool:
        """Whether there is a task for this person. One that is found is kept for them."""
        project = await run_in_threadpool(self._project)
        if project is None:
            return False
        query = {"project": str(project)}
        counts = (await self._label_studio.ask(person, "GET", "/api/dm/project", query)).values()
        total, done = counts.get("queue_total"), counts.get("queue_done")
        # This is asked first, because it keeps no task from others.
        if isinstance(total, int) and isinstance(done, int) and total <= done:
            return False
        return (await self._ask_for_task(person, project)).status == 200

    async def _ask_for_task(self, person: Person, project: int) -> Reply:
        """With what the page sends, Label Studio would give two people the same task; with this it
        keeps to its locks."""
        query = {"id": "next_task", "project": str(project)}
        body = {"project": str(project)}
        return await self._label_studio.ask(person, "POST", NEXT_TASK, query, body)

    async def _read_body(
        self, request: Request, match: Match, person: Person, project: int
    ) -> dict[str, Any] | None:
        """What is passed on of the body."""
        sent = await read_bytes(request, MAX_BODY_BYTES)
        if match.rule.body is Body.NONE:
            return None
        if not request.headers.get("content-type", "").startswith("application/json"):
            raise Refused("the body is not JSON")
        try:
            body = read_body(match.rule.body, sent, self._labels)
        except RefusedBody as error:
            raise Refused(f"the body is refused: {error}") from None
        draft = body.get("draft_id")
        if draft and not await self._ownership.is_own_draft(draft, person, project):
            raise Refused("the draft is not one's own")
        return body

    async def _save_again(
        self, match: Match, person: Person, body: dict[str, Any] | None, refusal: Reply
    ) -> Reply:
        """Saves what is on the screen in the annotation that Label Studio has already: it may have
        been changed since it was sent first."""
        path = f"/api/tasks/{match.numbers.get('task')}/"
        user = await self._label_studio.user_of(person)
        task = (await self._label_studio.ask(person, "GET", path)).values()
        own = stripping.own_annotations(task, user)
        if not own or body is None:
            return refusal
        newest = max(annotation["id"] for annotation in own)
        changed = {name: body[name] for name in body if name in ("result", "was_cancelled")}
        reply = await self._label_studio.ask(
            person, "PATCH", f"/api/annotations/{newest}/", None, changed
        )
        return Reply(201, reply.content_type, reply.body) if reply.status == 200 else reply

    async def _strip(self, match: Match, reply: Reply, person: Person, project: int) -> Response:
        treatment = match.rule.treatment
        if treatment is Treatment.PAGE:
            return labelling_page(reply)
        if reply.status == 204 or not reply.body:
            return Response(status_code=reply.status)
        if reply.status >= 300:
            return JSONResponse({"detail": _reason(match, reply)}, reply.status)
        try:
            values = json.loads(reply.body)
            if treatment is Treatment.TASK:
                user = await self._label_studio.user_of(person)
                stripped: Any = stripping.strip_task(values, user, person.account)
                if match.rule.body is Body.NEXT_TASK:
                    self._ownership.note_offer(int(stripped["id"]), person, project)
            else:
                stripped = STRIP[treatment](values)
            return JSONResponse(stripped, reply.status)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            log.warning("a reply to %s cannot be read", match.rule.name)
            return JSONResponse({"detail": "Label Studio replied what cannot be read"}, 502)


STRIP: dict[Treatment, Callable[[Any], Any]] = {
    Treatment.ANNOTATION: stripping.strip_annotation,
    Treatment.DRAFT: stripping.strip_draft,
    Treatment.PROJECT: stripping.strip_project,
    Treatment.HISTORY: stripping.strip_history,
}


def _reason(match: Match, reply: Reply) -> str:
    """What the page may show of a refusal: nothing that names other people or tasks."""
    if match.rule.body is Body.NEXT_TASK and reply.status == 404:
        return "there is no task for you now"
    return f"status {reply.status}"
