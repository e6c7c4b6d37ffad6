"""The page of exports: a form that starts one, how far it is, and what there is to download."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import (
    FileResponse,
    HTMLResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)

from biasloop.domain.columns import column_kinds
from biasloop.domain.item import Origin
from biasloop.domain.split import Split
from biasloop.errors import BiasloopError, DataError
from biasloop.plugins.registry import Kind, names
from biasloop.reports.export.filters import Filters, check_name
from biasloop.reports.export.finished import FinishedExport, finished_exports
from biasloop.reports.export.record import Request
from biasloop.service.service import Service
from biasloop.web.download import zip_export
from biasloop.web.export_runner import ExportRunner
from biasloop.web.forms import read_form
from biasloop.web.rendering import render

Form = Annotated[dict[str, str], Depends(read_form)]
CHOSEN = "label:"
"""Prefix of the names of the fields that choose a label."""
PARTS = {
    "labelled": "those with a label",
    "all": "all of the pool",
    "verdicts": "all, with verdicts of the model in service",
}
SEPARATORS = {",": "comma", ";": "semicolon (Excel in Italian)", "\t": "tab"}
"""The separators of CSV, and what the form calls them."""


def add_exports(app: FastAPI, service: Service, runner: ExportRunner) -> None:
    """Adds the pages, the form and the downloads."""

    @lru_cache(maxsize=1)
    def columns_of(items: int) -> list[str]:
        """The columns of the input. That reads all ads, so the result is kept as long as the pool
        has the same number of `items`."""
        return list(column_kinds(ad.columns for ad in service.pool.all_ads()))

    def page(error: str | None = None, form: Mapping[str, str] | None = None) -> str:
        run, items = runner.run, len(service.pool)
        columns = columns_of(items)
        if form is None:  # the next export begins without the choices of the last
            form = run.form if run and run.result is None else {}
        return render(
            "exports.html",
            exports=finished_exports(service.layout.exports),
            folder=service.layout.exports.resolve(),
            run=run,
            error=error,
            form=form,
            items=items,
            formats={"parquet": "parquet"} | _by_name(names(Kind.EXPORTER)),
            separators=SEPARATORS,
            parts=PARTS,
            labels=service.campaign.scheme.choices,
            origins={"": "any"} | _by_name(Origin),
            splits={"": "both"} | _by_name(Split),
            columns={"": "any"} | _by_name(columns) if columns else {},
        )

    def find(name: str) -> FinishedExport:
        for export in finished_exports(service.layout.exports):
            if export.name == name:
                return export
        raise HTTPException(404, f"no export {name!r}; /exports lists those that there are")

    @app.get("/exports", response_class=HTMLResponse)
    def show() -> str:
        return page()

    @app.post("/exports")
    def start(form: Form) -> Response:
        try:
            runner.start(read_request(form), form)
        except BiasloopError as error:
            return HTMLResponse(page(str(error), form), 422)
        return RedirectResponse("/exports", 303)

    @app.get("/exports/{name}", response_class=HTMLResponse)
    def show_export(name: str) -> str:
        return render("export.html", export=find(name))

    @app.get("/exports/{name}/zip")
    def download(name: str) -> StreamingResponse:
        export = find(name)
        attached = f"attachment; filename*=UTF-8''{quote(export.name, safe='')}.zip"
        return StreamingResponse(
            zip_export(export),
            media_type="application/zip",
            headers={"Content-Disposition": attached},
        )

    @app.get("/exports/{name}/files/{path:path}")
    def download_file(name: str, path: str) -> FileResponse:
        file = find(name).find(path)
        if file is None:
            raise HTTPException(404, f"the export {name} lists no file {path!r}")
        return FileResponse(file, media_type="application/octet-stream", filename=file.name)


def read_request(form: Mapping[str, str]) -> Request:
    """The export that the form asks for. Names in filters are checked by the export itself.

    Raises UnknownName for a choice that the form does not offer, and DataError for half a condition
    on a column.
    """
    format, part = form.get("format", "parquet"), form.get("part", "labelled")
    separator = form.get("separator", ",")
    check_name("format", format, names(Kind.EXPORTER))
    check_name("part of the pool", part, PARTS)
    check_name("separator", separator, SEPARATORS)
    column, value = form.get("column", ""), form.get("value", "").strip()
    if bool(column) != bool(value):
        raise DataError("choose a column and enter the value that it must have, or leave both out")
    filters = Filters(
        label=tuple(name.removeprefix(CHOSEN) for name in form if name.startswith(CHOSEN)),
        origin=_given(form, "origin"),
        split=_given(form, "split"),
        where=((column, value),) if column else (),
    )
    return Request(
        format=format,
        separator=separator if format == "csv" and separator != "," else None,
        filters=filters,
        whole=part == "all",
        verdicts=part == "verdicts",
        keep_personal="keep_personal" in form,
    )


def _by_name(values: Iterable[str]) -> dict[str, str]:
    """Options of a form that are shown by their own names."""
    return {value: value for value in values}


def _given(form: Mapping[str, str], name: str) -> tuple[str, ...]:
    """The values of a filter: that of the field, or none."""
    return (form[name],) if form.get(name) else ()
