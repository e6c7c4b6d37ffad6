"""The page of the shares of the pool."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import FastAPI, Query
from fastapi.responses import HTMLResponse

from biasloop.reports.grouping import group_columns
from biasloop.reports.prevalence import PrevalenceReport, Unit, report
from biasloop.service.service import Service
from biasloop.web.cached import Cached
from biasloop.web.rendering import render

SECONDS = 60.0
"""A report reads the whole pool: it is made at most this often."""


def add_prevalence(app: FastAPI, service: Service, clock: Callable[[], float]) -> None:
    """Adds the page. `clock` gives seconds, by which cached reports expire."""
    columns_of = Cached(lambda: group_columns(service), SECONDS, clock)
    reports: dict[tuple[Unit, str], Cached[PrevalenceReport]] = {}

    @app.get("/prevalence", response_class=HTMLResponse)
    def show(
        unit: Unit = Unit.SENTENCE, by: Annotated[str, Query(max_length=300)] = ""
    ) -> HTMLResponse:
        columns = columns_of()
        unknown = by if by not in ("", *columns) else ""
        key = (unit, "" if unknown else by)
        make = partial(report, service, unit=unit, by=key[1])
        shares = reports.setdefault(key, Cached(make, SECONDS, clock))()
        html = render(
            "prevalence.html",
            report=shares,
            units=list(Unit),
            columns=columns,
            unknown=unknown,
            plots=[shares_plot(shares, label) for label in _plotted(shares)],
        )
        return HTMLResponse(html, 404 if unknown else 200)


def _plotted(shares: PrevalenceReport) -> list[str]:
    """The labels with a plot of their own, one row a group; without groups, all have one plot."""
    if not shares.by:
        return [""]
    labels = [share.label for share in shares.groups[0].labels] if shares.groups else []
    estimable = {
        share.label for group in shares.groups for share in group.labels if share.low is not None
    }
    return [label for label in labels if label in estimable]


def shares_plot(shares: PrevalenceReport, label: str) -> dict[str, Any] | None:
    """The intervals of a label by group, or of all labels if it is "", as data for the page's
    script; None if nothing is estimable."""
    rows = [
        {
            "name": share.label if not label else group.group,
            "value": share.value,
            "low": share.low,
            "high": share.high,
        }
        for group in shares.groups
        for share in group.labels
        if share.low is not None and share.label == (label or share.label)
    ]
    return {"label": label, "shares": rows} if rows else None
