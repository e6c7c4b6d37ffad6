"""import: adds files to pool and ledger."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from biasloop.cli.completion import IMPORTED, label_sources, units
from biasloop.cli.context import (
    Json,
    Workspace,
    fail,
    now,
    open_workspace,
    print_json,
    progress,
    say,
    warn,
)
from biasloop.domain.label import LabelSource
from biasloop.errors import DataError

if TYPE_CHECKING:
    from biasloop.intake.ingest import ImportReport
    from biasloop.service.service import Service

Encoding = Annotated[
    str | None,
    typer.Option(
        help="Encoding of text files, e.g. cp1252; UTF-8 and UTF-16 are recognised.",
        show_default=False,
    ),
]


def import_(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Files (JSON, JSONL, CSV, Parquet, Excel, text; also with gzip) or folders."
        ),
    ],
    column: Annotated[
        list[str] | None,
        typer.Option(
            help="FIELD=COLUMN for a column with another name, e.g. text=body; repeatable."
        ),
    ] = None,
    label_source: Annotated[
        LabelSource | None,
        typer.Option(
            help="Source of the labels: seed (default), human, or gold (known answers).",
            autocompletion=label_sources,
            show_default=False,
        ),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(
            help="What is labelled: sentence or (whole) text; default: the campaign's choice.",
            autocompletion=units,
        ),
    ] = None,
    encoding: Encoding = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would happen; write nothing.")
    ] = False,
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Adds ads (or labelled rows) to the pool. Bad rows go to a rejects file.

    Fields: id, title, text, language, source, label, labels, root, group, spans, rewrite, context.
    Tables of an export are restored as they were. Exit status 1: nothing was imported.
    """
    if label_source not in (None, *IMPORTED):
        raise fail("--label-source must be seed, human or gold")
    if unit not in (None, "sentence", "text"):
        raise fail("--unit must be sentence or text")
    service = open_workspace(workspace)
    options = {
        "label_source": label_source,
        "unit": unit,
        "columns": column_mapping(column),
        "encoding": encoding,
        "dry_run": dry_run,
    }
    reports: dict[str, ImportReport] = {}
    errors: list[DataError] = []
    for path in files:
        try:
            reports[str(path)] = import_path(service, path, quiet=json, **options)
        except DataError as error:
            if len(files) == 1:
                raise
            errors.append(error)
            warn(f"not read: {error}")
    if json:
        print_json({path: _facts(report) for path, report in reports.items()})
    if all(report.nothing for report in reports.values()):
        rejects = sum(report.rejects for report in reports.values())
        reason = f"{rejects} rows were rejected" if rejects else "there are no rows"
        raise DataError(f"nothing was imported: {reason}" if not errors else "nothing was imported")


def column_mapping(options: list[str] | None) -> dict[str, str]:
    """Columns by field, from options FIELD=COLUMN."""
    return dict(_pair(option) for option in options or ())


def _pair(option: str) -> tuple[str, str]:
    field, equals, name = option.partition("=")
    if not equals:
        raise fail(f"--column must be FIELD=COLUMN, not {option!r}")
    return field, name


def import_path(
    service: "Service", path: Path, *, quiet: bool = False, **options: Any
) -> "ImportReport":
    """Imports a file or folder and says what came of it; `quiet` leaves out what went well."""
    from biasloop.intake.files import size
    from biasloop.service.importing import import_file
    from biasloop.store.control import Event

    with progress(f"import {path.name}", size(path)) as done:
        report = import_file(service, path, progress=done, **options)
    if not options.get("dry_run"):
        event = _facts(report) | {"file": str(path)}
        service.ledger.control.note(Event.IMPORTED, event, now())
    if not quiet:
        would = "would be " if options.get("dry_run") else ""
        say(
            f"{path.name}: {report.ads} ads, {report.items} new items, {report.duplicates} already "
            f"known, {report.labelled} labelled, {report.rejects} {would}rejected"
        )
        if report.cleaned:
            say(f"  {report.cleaned} rows contained HTML, which was taken away (intake.markup)")
        if report.rejects_file:
            say(f"  rejected rows with their reasons: {report.rejects_file}")
        if would:
            say("  a dry run: nothing was written")
    for part in report.unread:
        warn(f"not read: {part}")
    for reason in report.reasons:
        warn(f"rejected: {reason}")
    if report.rejects > len(report.reasons):
        warn(f"rejected: {report.rejects - len(report.reasons)} more")
    return report


def _facts(report: "ImportReport") -> dict[str, Any]:
    """The report as plain values."""
    file = report.rejects_file
    return asdict(report) | {"rejects_file": str(file) if file else None}
