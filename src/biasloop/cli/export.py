"""export."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from biasloop.cli.completion import formats
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

FILTERS = "Filters (an item must satisfy each; one that is repeated, in any of its values)"


def _filter(help: str, **more: Any) -> Any:
    return typer.Option(help=help, rich_help_panel=FILTERS, show_default=False, **more)


def export(
    to: Annotated[
        Path | None,
        typer.Option(help="Folder to write to; default: a new one in the workspace's exports/."),
    ] = None,
    format: Annotated[
        str,
        typer.Option(
            help="Format of the tables: parquet, csv, jsonl, xlsx, or datasets (a folder that "
            "Hugging Face's load_dataset reads).",
            autocompletion=formats,
        ),
    ] = "parquet",
    separator: Annotated[
        str | None,
        typer.Option(help='Between the cells of CSV; ";" for Excel in Italian. Default: ",".'),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an export that is there.")
    ] = False,
    whole: Annotated[
        bool, typer.Option("--all", help="Export the whole pool, not only what has a label.")
    ] = False,
    verdicts: Annotated[
        bool, typer.Option(help="Export the whole pool, with verdicts of the model in service.")
    ] = False,
    keep_personal: Annotated[
        bool,
        typer.Option(
            "--keep-personal",
            help="Do not mask names of contact persons, their addresses and numbers: share it only "
            "with those who may process them.",
        ),
    ] = False,
    label: Annotated[list[str] | None, _filter("Has this label.")] = None,
    round: Annotated[list[int] | None, _filter("Was in the batch of this round.")] = None,
    since: Annotated[
        datetime | None, _filter("Labelled on this day (UTC) or later.", formats=["%Y-%m-%d"])
    ] = None,
    until: Annotated[
        datetime | None, _filter("Labelled on this day (UTC) or earlier.", formats=["%Y-%m-%d"])
    ] = None,
    origin: Annotated[list[str] | None, _filter("real, seed, synthetic or gold.")] = None,
    source: Annotated[list[str] | None, _filter("Its ad comes from this source.")] = None,
    label_source: Annotated[
        list[str] | None, _filter("Its label is human, adjudicated, seed, machine …")
    ] = None,
    agreement: Annotated[
        float | None, _filter("Share of agreeing votes at least.", min=0, max=1)
    ] = None,
    disagreement: Annotated[
        float | None, _filter("Share of agreeing votes at most.", min=0, max=1)
    ] = None,
    split: Annotated[list[str] | None, _filter("train or audit.")] = None,
    policy: Annotated[
        list[str] | None, _filter("Labelled under this version of the guideline.")
    ] = None,
    arm: Annotated[list[str] | None, _filter("audit, random_train, acquisition or gold.")] = None,
    annotator: Annotated[
        list[str] | None, _filter("Has a vote of this annotator (A1, A2 …).")
    ] = None,
    where: Annotated[
        list[str] | None, _filter("Its ad has this value in a column of the input: employer=ACME.")
    ] = None,
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Exports items, votes and ads with their provenance."""
    from biasloop.reports.export.export import write_export
    from biasloop.reports.export.filters import Filters
    from biasloop.reports.export.folder import free_folder
    from biasloop.reports.export.record import Request

    filters = Filters(
        label=tuple(label or ()),
        round=tuple(round or ()),
        origin=tuple(origin or ()),
        source=tuple(source or ()),
        label_source=tuple(label_source or ()),
        split=tuple(split or ()),
        policy=tuple(policy or ()),
        arm=tuple(arm or ()),
        annotator=tuple(annotator or ()),
        since=_day(since),
        until=_day(until),
        agreement=agreement,
        disagreement=disagreement,
        where=tuple(_condition(text) for text in where or ()),
    )
    service = open_workspace(workspace)
    folder = to or free_folder(service.layout.exports, now())
    request = Request(
        format, separator, filters, whole=whole, verdicts=verdicts, keep_personal=keep_personal
    )
    with progress("export items", len(service.pool)) as done:
        export = write_export(service, request, folder, force=force, progress=done)
    if not export.recorded:
        warn("the workspace cannot be written, so no takedown will say that this export held an ad")
    if json:
        print_json([str(export.folder / table.file) for table in export.tables])
        return
    for table in export.tables:
        say(f"{export.folder / table.file}: {table.rows} {table.name}")
    if export.masked is None:
        say("personal data is kept: share this export only with those who may process it")
    else:
        places = sum(sum(counts.values()) for counts in export.masked.values())
        say(f"masked: {places} places with personal data (see README.md; --keep-personal keeps it)")


def _day(moment: datetime | None) -> date | None:
    return moment.replace(tzinfo=UTC).date() if moment else None


def _condition(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise fail(f"--where {text}: write COLUMN=VALUE, as in --where employer=ACME")
    return name, value
