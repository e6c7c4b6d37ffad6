"""The page, and the endpoints for programs. All of them only read, except the webhook, which
only wakes the loop, and the forms of the pages of the guideline, of exports, and of items that need
a second look."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from hmac import compare_digest
from importlib.resources import files
from pathlib import Path
from secrets import token_hex
from typing import Annotated
from urllib.parse import quote

from fastapi import FastAPI, Header, HTTPException, Query, Request, Response
from fastapi.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
)
from fastapi.staticfiles import StaticFiles
from prometheus_client.exposition import choose_encoder
from starlette.background import BackgroundTask

from biasloop.errors import BiasloopError
from biasloop.labelstudio.client import WEBHOOK_HEADER
from biasloop.reports import annotators as annotators_report
from biasloop.reports.json_values import to_json
from biasloop.reports.status import overview
from biasloop.service.service import Service
from biasloop.store.control import Bookmark
from biasloop.web import view
from biasloop.web.cached import Cached
from biasloop.web.disputed import add_disputed
from biasloop.web.export_runner import ExportRunner
from biasloop.web.exports import add_exports
from biasloop.web.forms import is_ours, read_body
from biasloop.web.metrics import metrics_registry
from biasloop.web.policy import add_guideline
from biasloop.web.prevalence import add_prevalence
from biasloop.web.rendering import HERE, render
from biasloop.web.trial_runner import Runner
from biasloop.workspace.secrets import webhook_secret

PLOTLY = Path(str(files("plotly") / "package_data" / "plotly.min.js"))
MAX_WEBHOOK_BYTES = 65_536
SECURITY = {
    # No inline script; inline styles, because Plotly brings its own style elements.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Our own forms must come with their origin; other sites get no referrer.
    "Referrer-Policy": "same-origin",
}


def create_app(
    service: Service, wake: Callable[[], None], clock: Callable[[], float] = time.monotonic
) -> FastAPI:
    """The web application of a workspace. `wake` polls Label Studio now; a webhook calls it. Stop
    `app.state.runner` and `app.state.export_runner`, which work on trials and exports in the
    background, together with the server. `clock` gives seconds, by which cached reports expire."""
    app = FastAPI(title="biasloop", docs_url=None, redoc_url=None, openapi_url=None)
    app.middleware("http")(_guard)
    app.add_exception_handler(BiasloopError, _problem)
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    current = Cached(lambda: overview(service), clock=clock)
    annotators_of = Cached(lambda: annotators_report.report(service), clock=clock)
    registry = metrics_registry(current)
    app.state.runner = Runner(service)
    app.state.export_runner = ExportRunner(service)
    app.state.names = (*service.settings.web.names, service.settings.web.host)
    # Without a token there is no Label Studio that could be told a secret.
    app.state.webhook_secret = webhook_secret(service.layout.folder) or token_hex()
    add_guideline(app, service, app.state.runner)
    add_disputed(app, service)
    add_prevalence(app, service, clock)
    add_exports(app, service, app.state.export_runner)

    @app.get("/", response_class=HTMLResponse)
    def page() -> str:
        now = current()
        return render(
            "page.html",
            now=now,
            campaign=service.campaign,
            curve=view.curve_plot(now.curve),
            savings=now.savings and view.savings_plot(now.savings),
            micro_of={point.round: point.micro_f1 for point in now.curve},
        )

    @app.get("/annotators", response_class=HTMLResponse)
    def show_annotators() -> str:
        return render("annotators.html", report=annotators_of())

    @app.get("/item")
    def find_item(id: Annotated[str, Query(max_length=200)]) -> RedirectResponse:
        return RedirectResponse(f"/item/{quote(id.strip(), safe='')}", 303)

    @app.get("/item/{item_id:path}", response_class=HTMLResponse)
    def show_item(item_id: str) -> HTMLResponse:
        row = int(service.pool.rows_of([item_id])[0])
        item = service.pool.items([row])[0] if row >= 0 else None
        task = service.ledger.task_ids().get(item_id)
        html = render(
            "item.html",
            item_id=item_id,
            item=item,
            trip=service.ledger.trip(item_id),
            task=task,
            task_link=view.task_url(
                service.label_studio_url, service.ledger.control.bookmark(Bookmark.PROJECT), task
            ),
        )
        return HTMLResponse(html, 200 if item else 404)

    @app.get("/api/status")
    def status() -> Response:
        return Response(to_json(asdict(current())), media_type="application/json")

    @app.get("/metrics")
    def metrics(accept: Annotated[str, Header()] = "") -> Response:
        encode, content_type = choose_encoder(accept)
        return Response(encode(registry), headers={"Content-Type": content_type})

    @app.get("/health")
    def health() -> dict[str, str]:
        service.ledger.check()
        return {"status": "ok"}

    @app.post("/webhook")
    async def webhook(request: Request) -> Response:
        sent = request.headers.get(WEBHOOK_HEADER, "")
        if not compare_digest(sent.encode(), app.state.webhook_secret.encode()):
            raise HTTPException(403, "only Label Studio calls this, with the secret it was told")
        # What the body says does not matter: only the poll knows what is true (R4).
        await read_body(request, MAX_WEBHOOK_BYTES)
        return Response(status_code=204, background=BackgroundTask(wake))

    @app.get("/plotly.min.js")
    def plotly() -> FileResponse:
        unchanging = {"Cache-Control": "public, max-age=31536000, immutable"}
        return FileResponse(PLOTLY, media_type="text/javascript", headers=unchanging)

    return app


async def _guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Refuses every request to a host that is not this page, and adds headers to every answer."""
    host = request.headers.get("host", "")
    if is_ours(host, request.app.state.names):
        response = await call_next(request)
    else:
        response = PlainTextResponse(
            f"{host[:200]!r} is not a known name of this page; if it is one, add it to web.names "
            "in biasloop.toml",
            403,
        )
    response.headers.update(SECURITY)
    response.headers.setdefault("Cache-Control", "no-cache")
    return response


def _problem(request: Request, error: Exception) -> Response:
    """What is wrong and what to do about it: a page for people, JSON for programs."""
    retry = {"Retry-After": "5"}
    if "text/html" not in request.headers.get("accept", ""):
        return JSONResponse({"detail": str(error)}, 503, headers=retry)
    html = render("problem.html", error=error, at=datetime.now(UTC))
    return HTMLResponse(html, 503, headers=retry)
