"""labels, labels rename: the labels of the campaign."""

from dataclasses import asdict
from typing import Annotated

import typer

from biasloop.cli.context import (
    Json,
    Workspace,
    Yes,
    confirm,
    log,
    open_workspace,
    print_json,
    say,
    table,
)

app = typer.Typer(help="The labels of the campaign.", invoke_without_command=True)

COUNTS = ("votes", "adjudicated", "seeds", "gold", "constructed", "llm", "models")


def add_to(root: typer.Typer) -> None:
    """Adds the commands of this file."""
    root.add_typer(app, name="labels")


@app.callback()
def labels(context: typer.Context, json: Json = False, workspace: Workspace = None) -> None:
    """Lists the labels, with what there is under each of them."""
    if context.invoked_subcommand is not None:
        return
    from biasloop.service.labels import label_uses

    rows = [asdict(use) for use in label_uses(open_workspace(workspace))]
    if json:
        print_json(rows)
        return
    gone = {True: "", False: "no longer a label; counts for nothing"}
    table([row | {"now": gone[row["current"]]} for row in rows], ["label", *COUNTS, "now"])


@app.command()
def rename(
    old: Annotated[str, typer.Argument(help="The label as it is called now.")],
    new: Annotated[str, typer.Argument(help="Its new name, which no label had before.")],
    yes: Yes = False,
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Gives a label a new name, wherever it is used.

    First lists what that touches. Votes, seeds, known answers and models stay what they are.
    """
    from biasloop.service import labels as service_labels

    service = open_workspace(workspace)
    use = asdict(service_labels.check_rename(service, old, new))
    counts = ", ".join(f"{use[name]} {name}" for name in COUNTS)
    log(f"{old} becomes {new} in label_config.xml and campaign.toml, and for: {counts}")
    log("the guideline and seed files are not rewritten; check whether they mention it")
    confirm("rename it?", yes)
    changed = service_labels.rename(service, old, new)
    if json:
        print_json({"old": old, "new": new, "changed": changed})
        return
    say(f"renamed {old} to {new}: {changed} annotations were updated")
    say("  next: rename it in the labelling interface of the Label Studio project as well,")
    say("  then start `biasloop up` (or `serve`) again")
