"""validate."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from biasloop.cli.completion import campaigns
from biasloop.cli.context import Json, fail, print_json, say


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command()(validate)


def validate(
    paths: Annotated[list[Path], typer.Argument(help="Seed files, or folders of them.")],
    campaign: Annotated[
        str | None,
        typer.Option(
            help="Campaign that the seeds belong to; default: the name of their folder.",
            autocompletion=campaigns,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Checks seed sentences: labels, spans, duplicates, roots. Exits with 1 if any is wrong."""
    from biasloop.workspace.campaign import read_campaign, shipped
    from biasloop.workspace.seed_check import seed_rows
    from biasloop.workspace.seed_check import validate as check

    files = [file for path in paths for file in _files(path)]
    if not files:
        raise fail(f"no seed files (*.jsonl) in {', '.join(map(str, paths))}")
    folder, _ = shipped(campaign or files[0].resolve().parent.name)
    report = check(seed_rows(files), read_campaign(folder).scheme)
    if json:
        print_json(asdict(report))
    else:
        for problem in report.problems:
            say(problem)
        say(
            f"{report.rows} rows in {len(report.sectors)} sectors, {report.hard_negatives} hard "
            f"negatives, {report.quadruples} in four versions; {len(report.problems)} problems"
        )
        say("  " + ", ".join(f"{label} {count}" for label, count in report.labels.most_common()))
    if report.problems:
        raise typer.Exit(1)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.glob("*.jsonl") if file.name != "ads.jsonl")
