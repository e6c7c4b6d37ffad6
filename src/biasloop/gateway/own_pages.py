"""The gateway's own pages: the way in, the guideline, the state of the queue, refusals."""

import logging
from collections.abc import Awaitable, Callable
from functools import lru_cache, partial
from pathlib import Path

from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    RedirectResponse,
    Response,
)
from starlette.routing import Route

from biasloop.access.access import Access
from biasloop.access.attempts import FailedAttempts
from biasloop.domain.person import LABELLING, Person
from biasloop.domain.queue import Queue
from biasloop.errors import LabelStudioRefused
from biasloop.gateway.campaign import CampaignView
from biasloop.gateway.guideline import describe_changes, render_guideline
from biasloop.gateway.label_studio import LabelStudioSessions
from biasloop.gateway.queue import batch_of, queue_message
from biasloop.gateway.rendering import HERE, message_page, render
from biasloop.gateway.script import page_script
from biasloop.gateway.visits import Visits
from biasloop.web.forms import read_form

log = logging.getLogger(__name__)

STATIC = HERE / "static"
guideline_html = lru_cache(4)(render_guideline)
NO_REFERRER = {"Referrer-Policy": "no-referrer"}
"""The link is a secret; no other page gets to know it."""
RETRY = {"Retry-After": "5"}


class OwnPages:
    """Pages in the campaign's language. `has_task_for` says whether there is a task for
    somebody, `secure` whether they come by TLS."""

    def __init__(
        self,
        access: Access,
        view: CampaignView,
        label_studio: LabelStudioSessions,
        has_task_for: Callable[[Person], Awaitable[bool]],
        failed: FailedAttempts,
        visits: Visits,
        *,
        secure: bool,
    ) -> None:
        self._access = access
        self._view = view
        self._label_studio = label_studio
        self._has_task_for = has_task_for
        self._failed = failed
        self._visits = visits
        self._secure = secure
        # A browser takes such a cookie only by TLS, and from this host alone.
        self._cookie = "__Host-biasloop" if secure else "biasloop"

    def routes(self) -> list[Route]:
        """The paths of these pages."""
        return [
            Route("/l/{link}", self.enter, methods=["GET"]),
            Route("/l/{link:path}", self.refuse_link, methods=["GET"]),
            Route("/", self.open_next_page, methods=["GET"]),
            Route("/gateway/guideline", self.show_guideline, methods=["GET"]),
            Route("/gateway/start", self.start, methods=["POST"]),
            Route("/gateway/leave", self.leave, methods=["POST"]),
            Route("/gateway/next", self.send_queue, methods=["GET"]),
            Route("/gateway/batch", self.send_batch, methods=["GET"]),
            Route("/gateway/page.js", self.send_script, methods=["GET"]),
            *(
                Route(f"/gateway/{name}", partial(_send_file, STATIC / name), methods=["GET"])
                for name in ("page.css", "guideline.css")
            ),
        ]

    # --- the way in ----------------------------------------------------------------------------

    async def enter(self, request: Request) -> Response:
        """Lets somebody in by their link."""
        if request.method == "HEAD":  # a mail program that looks whether links are alive
            return Response()
        client = request.client.host if request.client else ""
        words = self._view.words
        begun = await run_in_threadpool(self._access.begin_session, request.path_params["link"])
        if begun is None:
            if self._failed.too_many(client):
                return message_page(words, 429, words["too_often_title"], words["too_often"])
            self._failed.add(client)
            return message_page(words, 404, words["wrong_link_title"], words["wrong_link"])
        person, secret, until = begun
        await run_in_threadpool(self._visits.add, person.id, "GET", "/l/{link}", 303)
        response = RedirectResponse("/", 303, NO_REFERRER)
        response.set_cookie(
            self._cookie, secret, expires=until, secure=self._secure, httponly=True, samesite="lax"
        )
        return response

    async def refuse_link(self, _: Request) -> Response:
        """404, for a link with too little or too much in it."""
        words = self._view.words
        return message_page(words, 404, words["wrong_link_title"], words["wrong_link"])

    async def person_of(self, request: Request) -> Person | None:
        """Who sends a request; None without a valid session."""
        secret = request.cookies.get(self._cookie, "")
        return await run_in_threadpool(self._access.person_with_session, secret) if secret else None

    async def open_next_page(self, request: Request) -> Response:
        """Opens the next task, or first the guideline if it is new to this person."""
        person = await self._annotator(request)
        project = await run_in_threadpool(self._view.project)
        policy = await run_in_threadpool(self._view.policy)
        if person.policy_id != policy.id:
            return RedirectResponse("/gateway/guideline", 303)
        if project is None:
            words = self._view.words
            return message_page(words, 503, words["down_title"], words["not_ready"], retry=True)
        return RedirectResponse(f"/projects/{project}/data?labeling=1", 303)

    async def leave(self, request: Request) -> Response:
        """Ends the session."""
        await read_form(request)
        person, words = await self._annotator(request), self._view.words
        secret = request.cookies[self._cookie]
        await run_in_threadpool(self._access.end_session, person, secret)
        self._label_studio.forget(person)
        response = message_page(words, 200, words["leave"], words["left"])
        response.delete_cookie(self._cookie, secure=self._secure, httponly=True, samesite="lax")
        return response

    async def _annotator(self, request: Request) -> Person:
        person = await self.person_of(request)
        if person is None or not person.may_enter(LABELLING):
            raise HTTPException(401)
        return person

    # --- the guideline -------------------------------------------------------------------------

    async def show_guideline(self, request: Request) -> Response:
        """The guideline in force, and what changed in it since this person read it."""
        person = await self._annotator(request)
        return HTMLResponse(await run_in_threadpool(self._guideline_page, person))

    def _guideline_page(self, person: Person) -> str:
        policy = self._view.policy()
        seen = self._view.policy_shown_to(person)
        changes = ""
        if seen is not None and seen.id != policy.id:
            changes = describe_changes(seen.text, policy.text)
        return render(
            "guideline.html",
            self._view.words,
            title=self._view.words["guideline"],
            guideline=Markup(guideline_html(policy.text)),  # noqa: S704 - escaped there
            changes=Markup(changes),  # noqa: S704 - escaped there
            policy_id=policy.id,
            seen=person.policy_id == policy.id,
            retry=False,
        )

    async def start(self, request: Request) -> Response:
        """Notes which version of the guideline was shown, and goes on to the tasks."""
        form = await read_form(request)
        person = await self._annotator(request)
        policy = await run_in_threadpool(self._view.policy)
        # One that came into force meanwhile was not on the screen.
        if form.get("policy") == policy.id:
            await run_in_threadpool(self._access.people.record_guideline, person.id, policy.id)
        return RedirectResponse("/", 303)

    # --- the queue -----------------------------------------------------------------------------

    async def send_queue(self, request: Request) -> Response:
        """Whether there is a task; if not, why, and what is going on."""
        person = await self._annotator(request)
        queue = await run_in_threadpool(self._view.queue)
        if await self._has_task_for(person):
            state, text = Queue.WORK, ""
        else:
            # Open tasks that others are at, or that one answered, are no work for this person.
            state = Queue.PREPARING if queue.state is Queue.WORK else queue.state
            text = queue_message(queue, self._view.words)
        return JSONResponse({"state": state, "message": text, "batch": batch_of(queue)})

    async def send_batch(self, request: Request) -> Response:
        """How far the open batch is."""
        await self._annotator(request)
        return JSONResponse(batch_of(await run_in_threadpool(self._view.queue)))

    # --- files ---------------------------------------------------------------------------------

    async def send_script(self, _: Request) -> Response:
        """The script for the labelling page, with the phrases of the campaign's language."""
        script = page_script(self._view.language, self._view.controls)
        return Response(script, headers={"Content-Type": "text/javascript; charset=utf-8"})

    # --- refusals ------------------------------------------------------------------------------

    def refuse(self, request: Request) -> Response:
        """403, for a request that no rule lets through."""
        words = self._view.words
        if not _wants_page(request):
            return JSONResponse({"detail": words["refused_title"]}, 403)
        return message_page(words, 403, words["refused_title"], words["refused"], back=True)

    def refuse_stranger(self, request: Request) -> Response:
        """401, for somebody without a session."""
        words = self._view.words
        if not _wants_page(request):
            return JSONResponse({"detail": words["no_session_title"]}, 401)
        return message_page(words, 401, words["no_session_title"], words["no_session"])

    async def page_for_error(self, request: Request, error: Exception) -> Response:
        """What was raised in a page, as a page."""
        assert isinstance(error, HTTPException)
        if error.status_code == 401:
            return self.refuse_stranger(request)
        if error.status_code == 403:
            return self.refuse(request)
        return JSONResponse({"detail": error.detail}, error.status_code)

    def report_unavailable(self, request: Request, error: Exception) -> Response:
        """503, while Label Studio or the ledger does not answer; 500 if Label Studio refuses the
        account, because waiting does not help."""
        log.warning("%s", error)
        words = self._view.words
        if isinstance(error, LabelStudioRefused) and _wants_page(request):
            return message_page(words, 500, words["locked_title"], words["locked"])
        if not _wants_page(request):
            return JSONResponse({"detail": words["down"]}, 503, headers=RETRY)
        return message_page(words, 503, words["down_title"], words["down"], retry=True)


async def _send_file(path: Path, _: Request) -> Response:
    return FileResponse(path)


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")
