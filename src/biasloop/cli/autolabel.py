"""autolabel: labels the rest of the pool by machine, at a stated risk."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from biasloop.cli.context import Json, Workspace, fail, open_workspace, print_json, say, table

if TYPE_CHECKING:
    from biasloop.service.autolabel import Autolabelled
    from biasloop.service.service import Service


def add_to(app: typer.Typer) -> None:
    """Adds the command of this file."""
    app.command()(autolabel)


def autolabel(
    label: Annotated[
        list[str] | None,
        typer.Option(
            help="Label to give by machine; may be repeated. Without it: list those that were."
        ),
    ] = None,
    risk: Annotated[
        float, typer.Option(help="At most this share of the machine's labels may be wrong.")
    ] = 0.05,
    delta: Annotated[
        float, typer.Option(help="The chance that this does not hold, for each label.")
    ] = 0.1,
    drop: Annotated[
        bool, typer.Option("--drop", help="Take back what the machine labelled, of --label or all.")
    ] = False,
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Labels by machine what the newest model is sure of.

    That is as much as the audit shows to be right at the stated risk. The other items are left to
    people. Nothing learns from the machine's labels and no figure counts them; exports have them
    with source `machine` and the bound.
    """
    from biasloop.service import autolabel as machine

    if not 0 < risk < 0.5:
        raise fail("--risk is a share between 0 and 0.5, e.g. 0.05")
    if not 0 < delta < 0.5:
        raise fail("--delta is a chance between 0 and 0.5, e.g. 0.1")
    service = open_workspace(workspace)
    names = service.campaign.scheme.labels
    if not drop and (unknown := set(label or ()) - set(names)):
        raise fail(f"no label {', '.join(sorted(unknown))}; the labels are: {', '.join(names)}")
    if drop:
        there = [report.bound.label for report in machine.report_machine_labels(service)]
        dropped = machine.drop_machine_labels(service, label or there)
        if json:
            print_json(dropped)
        else:
            say(f"taken back: {', '.join(dropped) or 'nothing was there'}")
        return
    if not label:
        _show(service, json)
        return
    outcomes = [machine.autolabel(service, name, risk, delta) for name in dict.fromkeys(label)]
    if json:
        print_json([asdict(outcome) | {"left": outcome.left} for outcome in outcomes])
        return
    for outcome in outcomes:
        _explain(outcome)


def _show(service: "Service", json: bool) -> None:
    """What was labelled by machine before."""
    from biasloop.service.autolabel import report_machine_labels

    reports = report_machine_labels(service)
    if json:
        print_json([asdict(report) for report in reports])
        return
    if not reports:
        say("nothing is labelled by machine; `biasloop autolabel --label LABEL` does it")
        return
    rows = [
        {
            "label": report.bound.label,
            "items": str(report.machine),
            "have it": str(report.positives),
            "wrong at most": f"{report.bound.risk:.1%}",
            "certain to": f"{1 - report.bound.delta:.0%}",
            "model": report.bound.model + (" (older)" if report.older_model else ""),
        }
        for report in reports
    ]
    table(rows, list(rows[0]))


def _explain(done: "Autolabelled") -> None:
    bound, share = done.bound, done.machine / max(1, done.items)
    say(
        f"{bound.label}: {done.machine} of {done.items} items labelled by machine ({share:.1%}), "
        f"{done.positives} of them have it; {done.labelled} are labelled by people, {done.left} "
        "are left to people"
    )
    say(
        f"  at most {bound.risk:.1%} of such verdicts are wrong, with a chance of "
        f"{1 - bound.delta:.0%}: shown by {bound.kept} of {done.audited} audit labels, "
        f"{bound.errors} of them against the machine"
    )
    say(
        f"  has it: probability {bound.confidence:.3f} or more by model {bound.model}; has it not: "
        f"{1 - bound.confidence:.3f} or less. The bound is for both together"
    )
