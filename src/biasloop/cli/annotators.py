"""annotator positions, withdraw; annotators."""

from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from biasloop.cli import people
from biasloop.cli.context import Json, Workspace, open_workspace, print_json, say, table
from biasloop.cli.importing import Encoding, count
from biasloop.errors import DataError

if TYPE_CHECKING:
    from biasloop.domain.measure.resample import Interval
    from biasloop.reports.annotators import PairAgreement, PersonReport, RoundAgreement
    from biasloop.workspace.positions import Dimension, Group

MAX_PAIRS = 10
"""Pairs of annotators that are shown; --json has all of them."""

app = typer.Typer(
    help="Annotators: their links, and what they say about themselves.", no_args_is_help=True
)
people.add_to(app)


def add_to(root: typer.Typer) -> None:
    """Adds the commands of this file."""
    root.add_typer(app, name="annotator")
    root.command()(annotators)


@app.callback()
def accounts(_workspace: Workspace = None) -> None:
    """Who may label."""


@app.command("positions")
def add_positions(
    file: Annotated[
        Path,
        typer.Argument(
            help="A table of any kind (CSV, Excel, …): annotator (e-mail), consent (date), and a "
            "column per dimension.",
            show_default=False,
        ),
    ],
    encoding: Encoding = None,
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Records what annotators say about themselves, from a table.

    It is reported by group, and only for groups of five people or more. Exit status 1: nothing was
    recorded.
    """
    from biasloop.workspace.positions import Positions

    positions = Positions(open_workspace(workspace).layout.positions)
    today = date.today()  # noqa: DTZ011 - people write local dates
    recorded, refused = positions.add(file, today, encoding)
    if json:
        print_json({"taken": recorded, "refused": refused})
    else:
        groups = "`biasloop annotators` shows groups of five people or more"
        say(f"{recorded} positions recorded; {groups}")
        for reason in refused:
            say(f"  not recorded: {reason}")
    if not recorded:
        raise DataError(f"no position was recorded: {count(len(refused), 'row')} refused")


@app.command()
def withdraw(
    email: Annotated[str, typer.Argument(help="E-mail address of the annotator.")],
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Deletes what an annotator said about themselves. Their votes stay."""
    from biasloop.workspace.positions import Positions

    Positions(open_workspace(workspace).layout.positions).withdraw(email)
    if json:
        print_json({"withdrawn": email})
        return
    say(f"deleted what {email} said about themselves")
    say(
        "  backups made earlier still contain it: run this on them as well (`biasloop -w BACKUP …`)"
    )


def annotators(json: Json = False, workspace: Workspace = None) -> None:
    """Shows who labelled, how much, and how well they agree.

    It also shows their competence, their time, and what was set aside.
    """
    from biasloop.reports import annotators as annotators_report

    report = annotators_report.report(open_workspace(workspace))
    if json:
        print_json(asdict(report))
        return
    if not report.people:
        say("nobody has labelled yet; `biasloop annotator add` prints a link")
        return
    table(
        [_annotator_row(person) for person in report.people],
        [
            "annotator",
            "votes",
            "skips",
            "set aside",
            "competence",
            "gold",
            "seconds per item",
            "hours",
            "last",
        ],
    )
    shared = report.agreement
    say(f"\n{shared.items} items have several votes; Krippendorff's alpha (1: perfect agreement)")
    say(f"  whole answers (MASI)  {_format(shared.sets)}")
    for label, value in shared.labels.items():
        say(f"  {label:<21} {_format(value)}")
    say(f"  marked words (F1)     {_format(report.spans)}")
    if report.pool.items:
        say(f"weighted as in the pool, on {count(report.pool.items, 'audit item')}")
        say(f"  whole answers (MASI)  {_format(report.pool.sets)}")
        for label, value in report.pool.labels.items():
            say(f"  {label:<21} {_format(value)}")
    if report.pairs:
        say("")
        least_agreeing = report.pairs[:MAX_PAIRS]
        table(
            [_agreement_row(pair, " / ".join(pair.people)) for pair in least_agreeing],
            ["between", "items", "alpha"],
        )
        if more := len(report.pairs) - len(least_agreeing):
            say(f"{more} more pairs agree more or cannot be measured: --json lists all of them")
    if any(r.items for r in report.rounds):
        say("")
        table(
            [_agreement_row(r, f"round {r.round}") for r in report.rounds if r.items],
            ["between", "items", "alpha"],
        )
    for dimension in report.positions:
        _print_groups(dimension)


def _print_groups(dimension: "Dimension") -> None:
    hidden = "; groups of fewer than five people are not shown" if dimension.hidden else ""
    say(f"\nby {dimension.dimension}{hidden}")
    if dimension.groups:
        columns = ["group", "people", "alpha", "matches consensus", "differs from the others"]
        table([_group_row(group) for group in dimension.groups], columns)


def _group_row(group: "Group") -> dict[str, Any]:
    differences = {
        label: value
        for label, value in group.apart.items()
        if value and (value.low > 0 or value.high < 0)
    }
    return {
        "group": group.group,
        "people": group.people,
        "alpha": _format(group.agreement),
        "matches consensus": _format(group.as_consensus),
        "differs from the others": ", ".join(
            f"{label} {_format(value)}" for label, value in differences.items()
        ),
    }


def _annotator_row(person: "PersonReport") -> dict[str, Any]:
    seconds, competence, gold = person.seconds_per_item, person.competence, person.gold
    return {
        "annotator": person.annotator,
        "votes": person.votes,
        "skips": person.skips,
        "set aside": sum(person.aside.values()),
        "competence": None if competence is None else f"{competence:.2f}",
        "gold": f"{_format(gold.right)} of {gold.n}" if gold else None,
        "seconds per item": None if seconds is None else f"{seconds:.0f}",
        "hours": f"{person.hours:.1f}",
        "last": person.last_at,
    }


def _agreement_row(report: "RoundAgreement | PairAgreement", between: str) -> dict[str, Any]:
    return {"between": between, "items": report.items, "alpha": _format(report.sets)}


def _format(value: "Interval | None") -> str:
    return "not measurable" if value is None else str(value)
