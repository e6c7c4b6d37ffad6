"""init, import, takedown; and export, which is in a file of its own."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from biasloop.cli.completion import campaigns
from biasloop.cli.context import (
    Json,
    Workspace,
    Yes,
    confirm,
    local,
    now,
    open_workspace,
    print_json,
    say,
)
from biasloop.cli.export import export
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
    """Erases an ad everywhere; says which exports held it.

    Its text is removed from pool, features, ledger, models, stored answers of language models,
    tasks, and the backups that are where they were made. Models that learned from it are listed.
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
    for model in report.models_left:
        say(f"  the model {model} cannot be read and may still quote it; delete its folder")
    if report.server:
        say(f"  the database of {report.server} and its backups are its owner's to clean")
    for made in report.exports:
        say(
            f"  an export of {local(made.at)} held it: {made.folder}"
            + (" (gone)" if made.gone else "")
        )
    for folder in report.exports_unrecorded:
        say(f"  the export {folder} has no record and may hold it; delete it, and export again")
    for tuning in report.tunings:
        say(f"  the tuning {tuning} learned from it; `biasloop tune drop {tuning}` deletes it")
    if report.models:
        say("  the next training leaves it out; `biasloop train` does so now")
