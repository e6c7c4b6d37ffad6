"""imports, imports undo: what was imported, and how to take it back."""

from typing import TYPE_CHECKING, Annotated

import typer

from biasloop.cli.context import (
    Json,
    Workspace,
    Yes,
    confirm,
    local,
    open_workspace,
    print_json,
    say,
    table,
)
from biasloop.cli.importing import count

if TYPE_CHECKING:
    from biasloop.service.undo import UndoPlan

app = typer.Typer(help="Lists the imports; `undo` takes one back.", invoke_without_command=True)

_WHY = {
    "answered": "others labelled or answered",
    "asked": "people are or were asked about",
    "learned from": "a model learned from",
    "source of other texts": "other texts were made from",
}
"""By reason for keeping items, the end of the line that counts them."""


def add_to(root: typer.Typer) -> None:
    """Adds the commands of this file."""
    root.add_typer(app, name="imports")


@app.callback()
def imports(context: typer.Context, json: Json = False, workspace: Workspace = None) -> None:
    """Lists the imports, oldest first, with what each of them added."""
    if context.invoked_subcommand is not None:
        return
    rows = [
        {
            "import": record.id,
            "at": record.at,
            "items": sum(stop - first for first, stop in record.rows),
            "taken back": record.undone_at,
            "file": record.file,
        }
        for record in open_workspace(workspace).ledger.imports.all()
    ]
    if json:
        print_json(rows)
        return
    if not rows:
        say("no imports yet; `biasloop import FILE` adds ads")
        return
    table(rows, ["import", "at", "items", "taken back", "file"])


@app.command()
def undo(
    import_id: Annotated[
        str | None,
        typer.Argument(
            metavar="ID",
            help="Id of the import, or the start of it; default: the last import.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would happen; change nothing.")
    ] = False,
    yes: Yes = False,
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Takes an import back, so that a corrected file can be imported.

    Removes the items that it added and takes back the labels that it recorded. Items stay if
    somebody answered them or was asked about them, if a model learned from them, or if other texts
    were made from them.
    """
    from biasloop.service import undo as service_undo

    service = open_workspace(workspace)
    plan = service_undo.plan_undo(service, import_id)
    if not dry_run:
        service_undo.check_no_service(service)
        if not json:
            _say_plan(plan, "will be")
        confirm("take the import back?", yes)
        plan = service_undo.undo(service, plan.record.id)
    if json:
        print_json(plan.facts() | {"dry_run": dry_run})
    elif dry_run:
        _say_plan(plan, "would be")
    elif plan.is_empty:
        say("nothing is left to take back")
    elif plan.kept:
        say("the import was taken back; what was kept still has its ids")
    else:
        say("the import was taken back; the corrected file can be imported now")


def _say_plan(plan: "UndoPlan", be: str) -> None:
    """Says what the plan does; `be` is "will be" or "would be"."""
    facts, record = plan.facts(), plan.record
    say(f"import {record.id} of {record.file}, {local(record.at)}:")
    if record.undone_at:
        say(f"  it was taken back on {local(record.undone_at)}")
    say(f"  {count(facts['items'], 'item')} and {count(facts['ads'], 'ad')} {be} removed")
    if facts["labels_taken_back"]:
        say(f"  {count(facts['labels_taken_back'], 'label')} {be} taken back")
    if facts["labels_put_back"]:
        say(f"  {count(facts['labels_put_back'], 'label')} {be} what they were before")
    for reason, ids in facts["kept"].items():
        say(f"  kept: {count(len(ids), 'item')} that {_WHY[reason]}")
