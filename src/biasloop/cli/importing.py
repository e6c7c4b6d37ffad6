"""import: adds files to pool and ledger."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from biasloop.cli.completion import label_sources, units
from biasloop.cli.context import (
    Json,
    Workspace,
    fail,
    open_workspace,
    print_json,
    progress,
    say,
    warn,
)
from biasloop.domain.label import LabelSource
from biasloop.errors import DataError

if TYPE_CHECKING:
    from biasloop.intake.dry_run import DryPool
    from biasloop.intake.ingest import ImportReport
    from biasloop.service.service import Service

MAX_COLUMNS_SHOWN = 20
"""Maximum number of columns that are named."""

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
        str | None,
        typer.Option(
            help="Source of the labels: seed (default), human, or gold (known answers).",
            metavar=f"<{'|'.join(label_sources())}>",
            autocompletion=label_sources,
            show_default=False,
        ),
    ] = None,
    random_sample: Annotated[
        bool,
        typer.Option(
            "--random-sample",
            help="The labelled rows were drawn at random from texts like those of the pool.",
        ),
    ] = False,
    unit: Annotated[
        str | None,
        typer.Option(
            help="What is labelled: sentence or (whole) text; default: the campaign's choice.",
            metavar=f"<{'|'.join(units())}>",
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

    Fields: id (or ad_id), title, text, language, source, label, labels, root, group, spans,
    rewrite, context. All other columns are kept with the ad and exported with it. Tables of an
    export are restored as they were. Exit status 1: nothing was imported.
    """
    if label_source not in (None, *label_sources()):
        raise fail("--label-source must be seed, human or gold")
    if random_sample and label_source == LabelSource.GOLD:
        raise fail(
            "--random-sample is for labels to learn from, and nothing learns from gold; omit it"
        )
    if unit not in (None, *units()):
        raise fail("--unit must be sentence or text")
    if files[0] == Path("undo") and not files[0].exists():
        raise fail("there is no file undo; `biasloop imports undo` takes an import back")
    service = open_workspace(workspace)
    options = {
        "label_source": LabelSource(label_source) if label_source else None,
        "unit": unit,
        "columns": column_mapping(column),
        "encoding": encoding,
        "random_sample": random_sample,
        "dry_run": _dry_pool(service) if dry_run else None,
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
        print_json({path: report.facts() for path, report in reports.items()})
    if all(report.nothing for report in reports.values()):
        raise _nothing_imported(reports.values(), errors, dry_run=dry_run)


def _dry_pool(service: "Service") -> "DryPool":
    from biasloop.intake.dry_run import DryPool

    return DryPool(service.pool)


def _nothing_imported(
    reports: Iterable["ImportReport"], errors: Sequence[DataError], *, dry_run: bool
) -> DataError:
    what = "nothing would be imported" if dry_run else "nothing was imported"
    if errors:
        return DataError(what)
    rejects = sum(report.rejects for report in reports)
    would_be = "would be" if dry_run else "was" if rejects == 1 else "were"
    return DataError(
        f"{what}: {count(rejects, 'row')} {would_be} rejected"
        if rejects
        else f"{what}: there are no rows"
    )


def count(number: int, noun: str) -> str:
    """ "1 row", "2 rows"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


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

    with progress(f"import {path.name}", size(path)) as done:
        report = import_file(service, path, progress=done, **options)
    if not quiet:
        (_say_plan if options.get("dry_run") is not None else _say_result)(path, report)
    if options.get("random_sample") and report.items and not report.labelled:
        warn(f"{path.name}: no row has labels, so --random-sample changes nothing")
    for part in report.unread:
        warn(f"not read: {part}")
    for note in report.column_notes if report.ads else ():
        warn(note)
    for reason in report.reasons:
        warn(f"rejected: {reason}")
    if report.rejects > len(report.reasons):
        warn(f"rejected: {report.rejects - len(report.reasons)} more")
    return report


def _say_result(path: Path, report: "ImportReport") -> None:
    say(
        f"{path.name}: {report.ads} ads, {report.items} new items, {report.duplicates} already "
        f"known, {report.labelled} labelled, {report.rejects} rejected"
    )
    if report.cleaned:
        say(f"  {report.cleaned} rows contained HTML, which was taken away (intake.markup)")
    _say_columns(report)
    if report.rejects_file:
        say(f"  rejected rows with their reasons: {report.rejects_file}")


def _say_plan(path: Path, report: "ImportReport") -> None:
    say(
        f"{path.name}: an import would add {count(report.ads, 'ad')} with "
        f"{count(report.items, 'new item')} and record {count(report.labelled, 'label')}; "
        f"{count(report.duplicates, 'row')} already known, {count(report.rejects, 'row')} rejected"
    )
    if report.cleaned:
        say(f"  HTML would be taken away from {count(report.cleaned, 'row')} (intake.markup)")
    _say_columns(report)
    say("  a dry run: nothing was written")


def _say_columns(report: "ImportReport") -> None:
    """Says which columns are kept with the ads."""
    from biasloop.domain.columns import escape_unprintable

    if report.ads and report.columns:
        shown, more = report.columns[:MAX_COLUMNS_SHOWN], len(report.columns) - MAX_COLUMNS_SHOWN
        and_more = f" and {more} more" if more > 0 else ""
        say(f"  columns kept with the ads: {', '.join(map(escape_unprintable, shown))}{and_more}")
    if report.other_columns:
        say(
            f"  {count(report.other_columns, 'row')} of known ads with other columns: an ad keeps "
            "the columns that it came with (`biasloop imports undo` takes its import back)"
        )
