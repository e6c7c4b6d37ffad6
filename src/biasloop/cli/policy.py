"""policy: versions of the annotation guideline."""

from collections import Counter

import typer

from biasloop.cli.context import Json, open_workspace, print_json, say, table

app = typer.Typer(help="Versions of the annotation guideline.", invoke_without_command=True)


def add_to(root: typer.Typer) -> None:
    """Adds the commands of this file."""
    root.add_typer(app, name="policy")


@app.callback()
def policies(context: typer.Context, json: Json = False) -> None:
    """Lists the versions of the guideline, with the votes that were given under each."""
    if context.invoked_subcommand is not None:
        return
    from biasloop.domain.annotation import Standing
    from biasloop.domain.label import LabelSource

    biasloop = open_workspace()
    votes = Counter(
        a.policy_id
        for a in biasloop.ledger.annotations()
        if a.source is LabelSource.HUMAN and a.standing is Standing.VOTE
    )
    current = biasloop.campaign.policy
    rows = [
        {
            "policy": policy.id,
            "since": at,
            "words": len(policy.text.split()),
            "votes": votes[policy.id],
            "now": policy.id == current.id,
        }
        for at, policy in biasloop.ledger.policies()
    ]
    if json:
        print_json(rows)
        return
    if rows:
        shown = [row | {"now": "in force" if row["now"] else ""} for row in rows]
        table(shown, ["policy", "since", "words", "votes", "now"])
    if current.id not in {row["policy"] for row in rows}:
        say(f"{current.id} is new: it is in force once the loop runs (`biasloop up` or `serve`)")
