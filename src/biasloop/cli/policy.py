"""policy, policy keep|re-ask|set-aside: versions of the annotation guideline."""

from dataclasses import asdict
from getpass import getuser
from pathlib import Path
from typing import Annotated

import typer

from biasloop.cli.context import Json, Workspace, open_workspace, print_json, say, table
from biasloop.domain.policy import PolicyDecision, VoteAction

app = typer.Typer(help="Versions of the annotation guideline.", invoke_without_command=True)

By = Annotated[
    str,
    typer.Option(help="Your name, for the record; default: the current user.", show_default=False),
]


def add_to(root: typer.Typer) -> None:
    """Adds the commands of this file."""
    root.add_typer(app, name="policy")


@app.callback()
def policies(context: typer.Context, json: Json = False, workspace: Workspace = None) -> None:
    """Lists the versions of the guideline, with the votes that were given under each.

    Votes under an older version keep counting until you decide: keep, re-ask or set-aside.
    """
    if context.invoked_subcommand is not None:
        return
    from biasloop.service.policy import policy_report

    service = open_workspace(workspace)
    report = policy_report(service, service.ledger.annotations())
    if json:
        print_json(asdict(report))
        return
    rows = [asdict(version) for version in report.versions]
    columns = ["policy", "since", "words", "votes", "now"]
    columns[4:4] = [name for name in ("set_aside", "asked_again") if any(r[name] for r in rows)]
    if rows:
        table([row | {"now": "in force" if row["now"] else ""} for row in rows], columns)
    if report.decision:
        say(_in_words(report.decision))
    if report.new:
        say(f"{report.new} is new: it comes into force when `biasloop up` or `serve` starts again,")
        say("  or at once with `biasloop policy adopt campaign/guidelines.md`")
    if votes := report.waiting.votes:
        say(f"{votes} votes were given under an older guideline; they count until you decide:")
        say("  biasloop policy keep | re-ask [--labels LABEL,…] | set-aside")


@app.command()
def keep(by: By = "", json: Json = False, workspace: Workspace = None) -> None:
    """Keeps counting the votes given under older versions.

    Votes that were set aside since the last change of the guideline count again.
    """
    _decide(workspace, VoteAction.KEEP, "", by, json)


@app.command("re-ask")
def re_ask(
    labels: Annotated[
        str,
        typer.Option(
            help="Only items with one of these labels in a vote or the consensus, e.g. gender,age."
        ),
    ] = "",
    by: By = "",
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Asks again about items answered under older versions.

    Those who answered see the item again. Until then, their old answer stays on record, but does
    not count.
    """
    _decide(workspace, VoteAction.RE_ASK, labels, by, json)


@app.command("set-aside")
def set_aside(by: By = "", json: Json = False, workspace: Workspace = None) -> None:
    """Stops votes under older versions from counting.

    They stay on record, but count neither for training nor for audit.
    """
    _decide(workspace, VoteAction.SET_ASIDE, "", by, json)


def _decide(workspace: Path | None, action: VoteAction, labels: str, by: str, json: bool) -> None:
    from biasloop.service.policy import decide

    decision, changed = decide(open_workspace(workspace), action, split(labels), by or user())
    if json:
        print_json(asdict(decision) | {"answers": changed})
        return
    show_decision(decision, changed)


def split(labels: str) -> list[str]:
    """The labels that an option names."""
    return [label.strip() for label in labels.split(",") if label.strip()]


def show_decision(decision: PolicyDecision, changed: int) -> None:
    """Prints what was decided about older votes, and what it did to how many answers."""
    say(_in_words(decision))
    effect = {
        VoteAction.KEEP: "count again",
        VoteAction.RE_ASK: "were set aside, and their tasks are shown again",
        VoteAction.SET_ASIDE: "were set aside; the next training and audit leave them out",
    }
    say(f"  {changed} answers {effect[decision.action]}")


def _in_words(decision: PolicyDecision) -> str:
    labels = f" about {', '.join(decision.labels)}" if decision.labels else ""
    action = f"{decision.action} {', '.join(decision.older)}{labels}"
    return f"{decision.by} decided for {decision.policy_id}: {action}"


def user() -> str:
    """The name of the current user of this machine."""
    try:
        return getuser()
    except (KeyError, OSError):  # an account without a name, as in containers
        return "unknown"
