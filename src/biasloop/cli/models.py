"""train, models list|promote|rollback."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

import typer

from biasloop.cli.context import (
    Json,
    Workspace,
    err,
    local,
    open_workspace,
    print_json,
    say,
    table,
)

app = typer.Typer(no_args_is_help=True)


def add_to(root: typer.Typer) -> None:
    """Adds the commands of this file that stand on their own."""
    root.command()(train)


@app.callback()
def models(_workspace: Workspace = None) -> None:
    """Model versions, and which one is in service."""


def train(json: Json = False, workspace: Workspace = None) -> None:
    """Trains a model on all labels and puts it into service.

    Expanders that cost nothing run first.
    """
    from biasloop.service import models

    service = open_workspace(workspace)
    with err.status("") as status:
        training = models.train(service, status.update)
    if json:
        print_json(asdict(training))
        return
    card = training.card
    say(f"model {training.model} is in service; trained on {_counts(card['rows'])}")
    say(f"  {_thresholds(card)}")
    for note in card["notes"]:
        say(f"  note: {note}")
    rows = [
        {"label": name, "positives": card["positives"][name], "F1 (out of fold)": _f1(cell)}
        for name, cell in card["out_of_fold"]["labels"].items()
    ]
    table(rows, ["label", "positives", "F1 (out of fold)"])


def _counts(rows: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {source}" for source, count in sorted(rows.items()))


def _thresholds(card: Mapping[str, Any]) -> str:
    """What the thresholds are for."""
    what = "the pool" if card["thresholds_for_pool"] else "the labelled rows, not the pool"
    return f"thresholds are for {what}; random labels: {card['random_labels']}"


def _votes_by_policy(policies: Mapping[str, int]) -> str | None:
    """How many votes a model learned from under each version of the guideline."""
    return ", ".join(f"{n} under {policy}" for policy, n in policies.items()) or None


def _f1(cell: dict[str, Any]) -> str:
    f1 = cell["f1"]
    if f1 is None:
        return f"too few ({cell['n']})"
    return f"{f1['value']:.2f} [{f1['low']:.2f}, {f1['high']:.2f}]"


@app.command("list")
def list_(json: Json = False, workspace: Workspace = None) -> None:
    """Lists all model versions, newest last."""
    from biasloop.reports.models import models

    rows = [
        {
            "model": model.id,
            "in service": "yes" if model.in_service else "",
            "round": model.round,
            "finished": model.finished,
            "classifier": model.classifier,
            "sequence": model.sequence,
            "trained on": _counts(model.rows),
            "guidelines": _votes_by_policy(model.policies),
            "decision": model.decision,
            "card": model.card,
        }
        for model in models(open_workspace(workspace))
    ]
    if json:
        print_json(rows)
    elif not rows:
        say("no model yet; `biasloop train` makes one from what is labelled now")
    else:
        names = ["model", "in service", "round", "finished", "classifier", "trained on"]
        table(rows, [*names, "guidelines", "decision"])


@app.command()
def promote(
    model: Annotated[str, typer.Argument(help="Id of the model.")], workspace: Workspace = None
) -> None:
    """Puts a model into service."""
    from biasloop.service import models

    models.promote(open_workspace(workspace), model)
    say(f"model {model} is in service")


@app.command()
def rollback(workspace: Workspace = None) -> None:
    """Puts the previous model back into service."""
    from biasloop.service import models

    since, model_id = models.roll_back(open_workspace(workspace))
    say(f"model {model_id} is back in service (it was put into service on {local(since)})")
