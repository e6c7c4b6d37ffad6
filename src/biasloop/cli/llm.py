"""llm use."""

from dataclasses import asdict
from typing import Annotated

import typer

from biasloop.cli.context import Json, Workspace, err, open_workspace, print_json, say

app = typer.Typer(no_args_is_help=True)


def add_to(root: typer.Typer) -> None:
    """Adds the commands of this file."""
    root.add_typer(app, name="llm")


@app.callback()
def llm(_workspace: Workspace = None) -> None:
    """The language model that writes and judges texts."""


@app.command()
def use(
    url: Annotated[
        str, typer.Argument(help="An OpenAI-compatible server, such as http://127.0.0.1:8000/v1.")
    ],
    model: Annotated[str, typer.Argument(help="The model's name on that server.")],
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Sets the language model, after one trial request.

    Turns on the expander that uses it. The server's key is the secret LLM_API_KEY.
    """
    from biasloop.service import language_model

    service = open_workspace(workspace)
    with err.status("asking it one question …"):
        used = language_model.use(service, url, model)
    if json:
        print_json(asdict(used))
        return
    how = "keeps to a JSON schema" if used.schema else "has no structured output"
    say(f"{model} answers and {how}; expanders: {', '.join(used.expanders)}")
    say("  a running service uses it after a restart; `biasloop expand --plan` says what it costs")
