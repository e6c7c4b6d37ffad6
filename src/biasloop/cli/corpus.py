"""init, import, takedown, export."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from biasloop.cli.completion import campaigns, formats
from biasloop.cli.context import (
    Json,
    Workspace,
    Yes,
    confirm,
    now,
    open_workspace,
    print_json,
    progress,
    say,
)
from biasloop.cli.importing import import_, import_path


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command()(init)
    app.command("import")(import_)
    app.command()(takedown)
    app.command()(export)


def init(
    folder: Annotated[Path, typer.Argument(help="Folder to create.")],
    campaign: Annotated[
        str,
        typer.Option(
            help="Name of a campaign that ships with biasloop, or a campaign folder.",
            autocompletion=campaigns,
        ),
    ],
    seed: Annotated[
        int | None, typer.Option(help="Seed of the split and of all random choices.")
    ] = None,
    example_ads: Annotated[
        bool, typer.Option(help="Also import the unlabelled ads that come with the campaign.")
    ] = False,
) -> None:
    """Creates a workspace and imports the campaign's seed sentences.

    Nothing else has to be running.
    """
    from biasloop.workspace.create import create_workspace

    create_workspace(folder, campaign, seed)
    service = open_workspace(folder)
    about = service.campaign
    service.ledger.policies.add(about.policy, now())
    for path in about.seed_files:
        import_path(service, path)
    if example_ads and about.ad_file:
        import_path(service, about.ad_file)
    say(f"workspace {folder}: campaign {about.about.name}")
    say(f"  {service.pool.stats().items} items, {len(service.ledger.annotations())} labelled")
    say(f"next: cd {shlex.quote(str(folder))} && biasloop import YOUR_ADS.jsonl && biasloop up")


def takedown(
    ad: Annotated[str, typer.Argument(help="Id of the ad.")],
    yes: Yes = False,
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Erases an ad everywhere; lists the models that saw it.

    Its text is removed from pool, features, ledger, stored answers of language models, tasks, and
    the backups that are where they were made.
    """
    from biasloop.service.takedown import take_down

    confirm(f"Erase the ad {ad} for good?", yes)
    report = take_down(open_workspace(workspace), ad)
    if json:
        print_json(asdict(report))
        return
    say(f"{ad}: {report.erased} items erased, {report.tasks_withdrawn} tasks withdrawn")
    if report.erased < len(report.items):
        say(f"  {len(report.items) - report.erased} items had been erased before")
    for folder in report.backups:
        say(f"  also erased from the backup {folder}")
    for folder in report.backups_left:
        say(
            f"  the backup {folder} cannot be opened there and may still hold it; "
            f"after restoring it, run `biasloop takedown {ad}` again"
        )
    say(f"  models that learned from it: {', '.join(report.models) or 'none'}")
    if report.models:
        say("  the next training leaves it out; `biasloop train` does so now")


def export(
    to: Annotated[
        Path | None,
        typer.Option(help="Folder to write to; default: a new one in the workspace's exports/."),
    ] = None,
    format: Annotated[
        str, typer.Option(help="Format of the tables: parquet or csv.", autocompletion=formats)
    ] = "parquet",
    verdicts: Annotated[
        bool, typer.Option(help="Export the whole pool, with verdicts of the model in service.")
    ] = False,
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Exports items, votes and ads with their provenance."""
    from biasloop.plugins.registry import Kind, create
    from biasloop.reports.export import ADS, ITEMS, VOTES, ad_rows, item_rows, vote_rows
    from biasloop.service.models import verdict_columns

    service = open_workspace(workspace)
    exporter = create(Kind.EXPORTER, format)
    folder = to or service.layout.exports / f"{now():%Y%m%d-%H%M%S}"
    folder.mkdir(parents=True, exist_ok=True)
    verdict_types, classify = verdict_columns(service) if verdicts else ({}, None)
    with progress("export items", len(service.pool)) as done:
        written = [
            exporter.write(
                "items", ITEMS | verdict_types, item_rows(service, classify, done), folder
            ),
            exporter.write("votes", VOTES, vote_rows(service), folder),
            exporter.write("ads", ADS, ad_rows(service), folder),
        ]
    if json:
        print_json([str(path) for path in written])
        return
    for path in written:
        say(str(path))
