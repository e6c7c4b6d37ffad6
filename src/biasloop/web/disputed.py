"""The page of items that need a second look, and the form by which somebody decides about one."""

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from biasloop.errors import BiasloopError
from biasloop.reports import disputed
from biasloop.service.adjudication import adjudicate
from biasloop.service.service import Service
from biasloop.service.trial import MAX_COMMENT, MAX_NAME
from biasloop.web.forms import read_form
from biasloop.web.rendering import render

Form = Annotated[dict[str, str], Depends(read_form)]
SHOWN = 50
"""Items of each list on the page; the command line shows all, those decided with --json."""
CHOSEN = "label:"
"""How the names of fields begin that choose a label."""


def add_disputed(app: FastAPI, service: Service) -> None:
    """Adds the page and its form."""

    def page(error: str | None = None, form: Mapping[str, str] | None = None) -> str:
        form = form or {}
        return render(
            "disputed.html",
            report=disputed.report(service),
            choices=service.campaign.scheme.choices,
            shown=SHOWN,
            error=error,
            form=form,
            chosen=_chosen(form),
            max_name=MAX_NAME,
            max_reason=MAX_COMMENT,
        )

    @app.get("/disputed", response_class=HTMLResponse)
    def show() -> str:
        return page()

    @app.post("/disputed")
    def decide(form: Form) -> Response:
        item = form.get("item", "")
        try:
            adjudicate(service, item, _chosen(form), form.get("by", ""), form.get("reason", ""))
        except BiasloopError as error:
            return HTMLResponse(page(str(error), form), 422)
        return RedirectResponse(f"/disputed#i{quote(item)}", 303)


def _chosen(form: Mapping[str, str]) -> list[str]:
    return [name.removeprefix(CHOSEN) for name in form if name.startswith(CHOSEN)]
