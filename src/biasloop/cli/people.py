"""annotator add."""

from secrets import token_urlsafe
from typing import Annotated

import typer

from biasloop.cli.context import Json, open_workspace, print_json, say

app = typer.Typer(help="Accounts of the people who label.", no_args_is_help=True)


@app.callback()
def annotators() -> None:
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
