"""expand."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from biasloop.cli.context import Json, Workspace, err, open_workspace, print_json, say, table

if TYPE_CHECKING:
    from biasloop.domain.writing.synthesis import TextRequest
    from biasloop.service.service import Service


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command()(expand)


def expand(
    plan: Annotated[
        bool,
        typer.Option("--plan", help="Only show what would be asked for, and what it would cost."),
    ] = False,
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Runs the expanders in the settings, as a new round does."""
    service = open_workspace(workspace)
    if plan:
        _print_plan(service, json)
        return
    from biasloop.service import control

    with err.status("expanding …"):
        facts = control.expand(service)
    if json:
        print_json(facts)
        return
    for name, added in facts["expanded"].items():
        say(f"{name}: {added} new items")
        if record := facts.get("synthesis", {}).get(name):
            _print_record(record)


def _print_record(record: Mapping[str, Any]) -> None:
    """Prints what a language model was asked for, and how many texts were accepted."""
    spent = record["spending"]
    refused = ", ".join(f"{n} {reason}" for reason, n in sorted(record["refused"].items()))
    say(
        f"  {record['asked']} texts asked for, {record['made']} accepted; "
        f"refused: {refused or 'none'}"
    )
    say(
        f"  {spent['requests']} requests, {spent['tokens_in']} tokens in, {spent['tokens_out']} "
        f"out, cost {spent['cost']:.4f}"
    )
    if record["stopped"]:
        say(f"  {record['not_asked']} not asked for: {record['stopped']}")


def _print_plan(service: "Service", json: bool) -> None:
    plans = service.steps.plan()
    if json:
        print_json(
            {
                name: {"cells": _cells(requests), "estimate": asdict(size)}
                for name, (requests, size) in plans.items()
            }
        )
        return
    if not plans:
        say('no expander in the settings uses a language model; add "llm" to expander.names')
    for name, (requests, size) in plans.items():
        table(_cells(requests), ["texts", "kind", "label", "sector", "register", "form"])
        say(
            f"{name}: {len(requests)} texts in {size.requests} requests, {size.tokens_in} tokens "
            f"in, {size.tokens_out} out (at most {size.tokens_out_at_most})"
        )
        llm = service.settings.llm
        say(
            f"  cost {size.cost:.4f}, at most {size.cost_at_most:.4f}; the budget is "
            f"{llm.round_budget:g} per round, {llm.budget:g} in all"
        )


def _cells(requests: "Sequence[TextRequest]") -> list[dict[str, Any]]:
    """How many texts of each kind for each cell, in the order of need."""
    counts = Counter((request.kind, request.cell) for request in requests)
    return [
        {
            "texts": n,
            "kind": str(kind),
            "label": cell.label,
            "sector": cell.sector or None,
            "register": cell.register or None,
            "form": cell.form or None,
        }
        for (kind, cell), n in counts.items()
    ]
