"""items, adjudicate: items that need a second look, and what somebody decides about them."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from biasloop.cli.context import Json, Workspace, fail, local, open_workspace, print_json, say
from biasloop.cli.policy import By, split, user

if TYPE_CHECKING:
    from biasloop.reports.disputed import AnswerReport, DisputedItem


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command()(items)
    app.command()(adjudicate)


def items(
    disputed: Annotated[
        bool,
        typer.Option(
            "--disputed", help="Items whose votes differ, or that somebody is unsure about."
        ),
    ] = False,
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Lists items that need a second look, with votes and rules.

    The model's verdict on an audit item is hidden until somebody has decided. --json also has the
    items that somebody decided.
    """
    from biasloop.reports import disputed as disputed_report

    if not disputed:
        raise fail("say which items to list: --disputed")
    report = disputed_report.report(open_workspace(workspace))
    if json:
        print_json(asdict(report))
        return
    for item in report.open:
        _show(item)
    say(f"{len(report.open)} items to decide, {len(report.decided)} decided")
    if report.open:
        say("  biasloop adjudicate ITEM --labels LABEL,… --by NAME --reason TEXT")


def adjudicate(
    item: Annotated[str, typer.Argument(help="Id of the item.")],
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    labels: Annotated[str, typer.Option(help="The labels that it has, e.g. gender,age.")] = "",
    by: By = "",
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Decides which labels an item has, after a look at its votes.

    The decision outweighs the votes, which stay. A later one replaces it, and both are kept.
    """
    from biasloop.service import adjudication

    service = open_workspace(workspace)
    decision = adjudication.adjudicate(service, item, split(labels), by or user(), reason)
    if json:
        print_json(asdict(decision))
        return
    named = ", ".join(decision.labels) or "no label"
    say(f"{decision.annotator} decided for item {item}: {named}")
    say("  it outweighs the votes from the next consensus and training on")


def _show(item: "DisputedItem") -> None:
    audit = ", an audit item" if item.audit else ""
    say(f"{item.item} ({'; '.join(item.reasons)}{audit})")
    say(f"  “{item.text}”")
    for answer in item.answers:
        say(f"  {answer.annotator}, {local(answer.at)}: {_describe(answer)}")
    for rule in item.rules:
        say(f"  rule {rule.label}: {rule.description or 'see the guideline'}")
    if item.verdict:
        say(f"  the model: {', '.join(item.verdict.labels) or 'no label'}")
    say("")


def _describe(answer: "AnswerReport") -> str:
    parts = ["skipped" if answer.skipped else ", ".join(answer.labels) or "no label"]
    parts += ["unsure"] if answer.unsure else []
    parts += [f"marked “{words}” ({label})" for label, words in answer.marked]
    parts += [f"would write “{answer.rewrite}”"] if answer.rewrite else []
    return "; ".join(parts)
