"""annotator add, positions, withdraw; annotators."""

from dataclasses import asdict
from datetime import date
from pathlib import Path
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Annotated, Any

import typer

from biasloop.cli.context import Json, Workspace, open_workspace, print_json, say, table

if TYPE_CHECKING:
    from biasloop.domain.measure.resample import Interval
    from biasloop.reports.annotators import PairAgreement, PersonReport, RoundAgreement
    from biasloop.workspace.positions import Dimension, Group

PAIRS = 10
"""Shown of all pairs, of whom there are many soon."""

app = typer.Typer(help="Accounts of the people who label.", no_args_is_help=True)


def add_to(root: typer.Typer) -> None:
    """Adds the commands of this file."""
    root.add_typer(app, name="annotator")
    root.command()(annotators)


@app.callback()
def accounts(_workspace: Workspace = None) -> None:
    """Accounts in Label Studio; sign-up stays closed."""


@app.command()
def add(
    email: Annotated[str, typer.Argument(help="E-mail address; it is the account's name.")],
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Makes an account in Label Studio; prints how to sign in."""
    service = open_workspace(workspace)
    service.ensure_project()
    password = token_urlsafe(9)
    account = service.label_studio.add_annotator(email, password)
    access = {
        "email": account.email,
        "password": password if account.new else None,
        "sign_in": f"{service.label_studio_url}/user/login/",
        "label": service.label_studio.task_url(),
    }
    if json:
        print_json(access)
        return
    say(f"{email} signs in at {access['sign_in']}")
    if account.new:
        say(f"  with the password {password} (shown once)")
    else:
        say("  the account was there already; its password stays")
    say(f"  and labels at {access['label']}")


@app.command("positions")
def add_positions(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV: annotator (e-mail), consent (date), and a column per dimension.",
            show_default=False,
        ),
    ],
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Records what annotators say of themselves, from a CSV file.

    It is shown by group, and only for groups of five people or more.
    """
    from biasloop.workspace.positions import Positions

    positions = Positions(open_workspace(workspace).layout.positions)
    taken, refused = positions.add(file, date.today())  # noqa: DTZ011 - people write local dates
    if json:
        print_json({"taken": taken, "refused": refused})
        return
    say(f"{taken} positions kept; `biasloop annotators` shows groups of five people or more")
    for why in refused:
        say(f"  not kept: {why}")


@app.command()
def withdraw(
    email: Annotated[str, typer.Argument(help="Whose position, by e-mail address.")],
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Forgets what an annotator said of themselves. Their votes stay."""
    from biasloop.workspace.positions import Positions

    Positions(open_workspace(workspace).layout.positions).withdraw(email)
    if json:
        print_json({"withdrawn": email})
        return
    say(f"nothing is kept any more of what {email} said of themselves")
    say("  backups made before still hold it: run this on them as well (`biasloop -w BACKUP …`)")


def annotators(json: Json = False, workspace: Workspace = None) -> None:
    """Shows who labelled, how much, and how far they agree.

    Also their competence and time, and what was set aside.
    """
    from biasloop.reports import annotators as annotators_report

    report = annotators_report.report(open_workspace(workspace))
    if json:
        print_json(asdict(report))
        return
    if not report.people:
        say("nobody has labelled yet; `biasloop annotator add` makes an account")
        return
    table(
        [_person(person) for person in report.people],
        [
            "annotator",
            "votes",
            "skips",
            "aside",
            "competence",
            "gold",
            "seconds per item",
            "hours",
            "last",
        ],
    )
    shared = report.agreement
    say(f"\n{shared.items} items have several votes; Krippendorff's alpha (1: all agree)")
    say(f"  whole answers (MASI)  {_measured(shared.sets)}")
    for label, value in shared.labels.items():
        say(f"  {label:<21} {_measured(value)}")
    say(f"  marked words (F1)     {_measured(report.spans)}")
    if report.pairs:
        say("")
        furthest = report.pairs[:PAIRS]
        table(
            [_between(pair, " / ".join(pair.people)) for pair in furthest],
            ["between", "items", "alpha"],
        )
        if more := len(report.pairs) - len(furthest):
            say(f"{more} more pairs, who agree more or cannot be measured: --json has them all")
    if any(r.items for r in report.rounds):
        say("")
        table(
            [_between(r, f"round {r.round}") for r in report.rounds if r.items],
            ["between", "items", "alpha"],
        )
    for dimension in report.positions:
        _say_groups(dimension)


def _say_groups(dimension: "Dimension") -> None:
    hidden = "; groups of fewer than five people are not shown" if dimension.hidden else ""
    say(f"\nby {dimension.dimension}{hidden}")
    if dimension.groups:
        columns = ["group", "people", "alpha", "as consensus", "apart from the others"]
        table([_group(group) for group in dimension.groups], columns)


def _group(group: "Group") -> dict[str, Any]:
    clear = {
        label: value
        for label, value in group.apart.items()
        if value and (value.low > 0 or value.high < 0)
    }
    return {
        "group": group.group,
        "people": group.people,
        "alpha": _measured(group.agreement),
        "as consensus": _measured(group.as_consensus),
        "apart from the others": ", ".join(
            f"{label} {_measured(value)}" for label, value in clear.items()
        ),
    }


def _person(person: "PersonReport") -> dict[str, Any]:
    seconds, competence, gold = person.seconds_per_item, person.competence, person.gold
    return {
        "annotator": person.annotator,
        "votes": person.votes,
        "skips": person.skips,
        "aside": sum(person.aside.values()),
        "competence": None if competence is None else f"{competence:.2f}",
        "gold": f"{_measured(gold.right)} of {gold.n}" if gold else None,
        "seconds per item": None if seconds is None else f"{seconds:.0f}",
        "hours": f"{person.hours:.1f}",
        "last": person.last_at,
    }


def _between(report: "RoundAgreement | PairAgreement", who: str) -> dict[str, Any]:
    return {"between": who, "items": report.items, "alpha": _measured(report.sets)}


def _measured(value: "Interval | None") -> str:
    return "not measurable" if value is None else str(value)
