"""The gateway: personal links, our own pages, and what passes to Label Studio."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl, urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from biasloop.access.attempts import FailedAttempts
from biasloop.domain.person import LABELLING
from biasloop.errors import BiasloopError, LabelStudioError
from biasloop.gateway.campaign import CampaignView
from biasloop.gateway.label_studio import LabelStudioSessions
from biasloop.gateway.own_pages import OwnPages
from biasloop.gateway.proxy import Proxy, Refused
from biasloop.gateway.rules import match
from biasloop.gateway.visits import Visits
from biasloop.service.service import Service
from biasloop.web.forms import is_ours

log = logging.getLogger(__name__)

WRONG_LINKS, WRONG_LINK_SECONDS = 20, 60.0
"""With this many wrong links in that time, an address has to wait."""
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
HSTS = {"Strict-Transport-Security": "max-age=31536000"}
ALL_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def create_gateway(service: Service, wake: Callable[[], None]) -> Starlette:
    """The gateway of a workspace. `wake` polls Label Studio now; it is called when an annotation
    was saved."""
    view = CampaignView(service)
    settings = service.settings

    def create_account(email: str, password: str) -> None:
        service.label_studio.add_annotator(email, password)  # which connects only now

    label_studio = LabelStudioSessions(
        service.label_studio_url,
        view.password_of,
        create_account,
        settings.labelstudio.timeout_seconds,
    )
    visits = Visits(service.layout.visits)
    proxy = Proxy(label_studio, view.project, wake, view.controls)
    pages = OwnPages(
        service.access,
        view,
        label_studio,
        proxy.has_task_for,
        FailedAttempts(WRONG_LINKS, WRONG_LINK_SECONDS),
        visits,
        secure=settings.gateway.is_secure,
    )

    @asynccontextmanager
    async def running(_: Starlette) -> AsyncIterator[None]:
        yield
        await label_studio.close()
        visits.close()

    async def pass_on(request: Request) -> Response:
        query = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
        matched = match(request.method, request.scope["raw_path"], query)
        person = await pages.person_of(request)
        if person is None or not person.may_enter(LABELLING):
            return pages.refuse_stranger(request)
        if matched is None:
            return pages.refuse(request)
        try:
            response = await proxy.pass_on(request, matched, person)
        except Refused as refusal:
            log.info("%s: %s %s: %s", person.id, request.method, matched.rule.name, refusal)
            response = pages.refuse(request)
        except LabelStudioError as error:
            response = pages.report_unavailable(request, error)
        await run_in_threadpool(
            visits.add, person.id, request.method, matched.rule.name, response.status_code
        )
        return response

    app = Starlette(
        routes=[*pages.routes(), Route("/{path:path}", pass_on, methods=ALL_METHODS)],
        exception_handlers={
            HTTPException: pages.page_for_error,
            BiasloopError: pages.report_unavailable,
        },
        lifespan=running,
    )
    names = [urlsplit(settings.gateway.address).hostname or "", settings.gateway.host]
    headers = SECURITY | (HSTS if settings.gateway.is_secure else {})
    app.add_middleware(_HostCheck, names=names, headers=headers)
    return app


class _HostCheck(BaseHTTPMiddleware):
    """Refuses what is sent to another host, and adds headers to every response."""

    def __init__(self, app: ASGIApp, names: list[str], headers: dict[str, str]) -> None:
        super().__init__(app)
        self._names, self._headers = names, headers

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        if is_ours(request.headers.get("host", ""), self._names):
            response = await call_next(request)
        else:
            response = PlainTextResponse(
                "the gateway is not reached under this host name; open it at the address in your "
                "link, or set gateway.public_url in biasloop.toml",
                403,
            )
        for name, value in self._headers.items():
            response.headers.setdefault(name, value)
        return response
