"""`biasloop`: the commands, and how their errors end."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from biasloop import __version__
from biasloop.cli import data, look, models, people, service
from biasloop.cli.context import err, set_workspace
from biasloop.errors import BiasloopError

app = typer.Typer(
    name="biasloop",
    help="Makes a bias classifier and a labelled corpus out of raw job ads, for the fewest labels.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def main(
    workspace: Annotated[
        Path | None,
        typer.Option("--workspace", "-w", help="The workspace folder (default: this folder)."),
    ] = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Commands work on the workspace in the current folder, or in --workspace."""
    if version:
        typer.echo(__version__)
        raise typer.Exit
    if workspace is not None:
        set_workspace(workspace)


for group in (data, service, look, models):
    group.add_to(app)
app.add_typer(people.app, name="annotator")
app.add_typer(models.app, name="models")


def run() -> None:
    """The console script. A biasloop error is one line on standard error and its exit code."""
    try:
        app()
    except BiasloopError as error:
        err.print(f"error: {error}", markup=False, soft_wrap=True, style="red")
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(0)  # `biasloop … | head`


if __name__ == "__main__":
    run()
