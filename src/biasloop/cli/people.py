"""annotator add, annotators."""

from secrets import token_urlsafe
from typing import Annotated, Any

import typer

from biasloop.cli.context import Json, open_workspace, print_json, say, table

app = typer.Typer(help="Accounts of the people who label.", no_args_is_help=True)


def add_to(root: typer.Typer) -> None:
    """Adds the commands of this file."""
    root.add_typer(app, name="annotator")
    root.command()(annotators)


@app.callback()
def accounts() -> None:
    """Accounts in Label Studio; sign-up stays closed."""


@app.command()
def add(
    email: Annotated[str, typer.Argument(help="E-mail address; it is the account's name.")],
    json: Json = False,
) -> None:
    """Makes an account in Label Studio and prints where and how to sign in."""
    biasloop = open_workspace()
    biasloop.ensure_project()
    password = token_urlsafe(9)
    account = biasloop.label_studio.add_annotator(email, password)
    told = {
        "email": account.email,
        "password": password if account.new else None,
        "sign_in": f"{biasloop.label_studio_url}/user/login/",
        "label": biasloop.label_studio.task_url(),
    }
    if json:
        print_json(told)
        return
    say(f"{email} signs in at {told['sign_in']}")
    if account.new:
        say(f"  with the password {password} (shown once)")
    else:
        say("  the account was there already; its password stays")
    say(f"  and labels at {told['label']}")


def annotators(json: Json = False) -> None:
    """Who labelled: agreement, competence, progress, time, and what was set aside."""
    from biasloop.people import annotators as look

    found = look(open_workspace())
    if json:
        print_json(found)
        return
    if not found["people"]:
        say("nobody has labelled yet; `biasloop annotator add` makes an account")
        return
    table(
        [_person(p) for p in found["people"]],
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
    shared = found["agreement"]
    say(f"\n{shared['items']} items have several votes; Krippendorff's alpha (1: all agree)")
    say(f"  whole answers (MASI)  {_measured(shared['sets'])}")
    for label, value in shared["labels"].items():
        say(f"  {label:<21} {_measured(value)}")
    say(f"  marked words (F1)     {_measured(found['spans'])}")
    if found["pairs"]:
        say("")
        table(
            [_between(pair, " / ".join(pair["people"])) for pair in found["pairs"]],
            ["between", "items", "alpha"],
        )
    if any(r["items"] for r in found["rounds"]):
        say("")
        table(
            [_between(r, f"round {r['round']}") for r in found["rounds"] if r["items"]],
            ["between", "items", "alpha"],
        )


def _person(found: dict[str, Any]) -> dict[str, Any]:
    pace, sure, gold = found["seconds_per_item"], found["competence"], found["gold"]
    return {
        "annotator": found["annotator"],
        "votes": found["votes"],
        "skips": found["skips"],
        "aside": sum(found["aside"].values()),
        "competence": None if sure is None else f"{sure:.2f}",
        "gold": f"{_measured(gold['right'])} of {gold['n']}" if gold else None,
        "seconds per item": None if pace is None else f"{pace:.0f}",
        "hours": f"{found['hours']:.1f}",
        "last": found["last_at"],
    }


def _between(found: dict[str, Any], who: str) -> dict[str, Any]:
    return {"between": who, "items": found["items"], "alpha": _measured(found["sets"])}


def _measured(value: dict[str, float] | None) -> str:
    if value is None:
        return "not measurable"
    return f"{value['value']:.2f} [{value['low']:.2f}, {value['high']:.2f}]"
