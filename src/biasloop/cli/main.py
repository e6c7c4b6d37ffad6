"""`biasloop`: the commands, and how their errors end."""

import io
import logging
import os
import sys
from typing import Annotated

import typer

from biasloop import __version__
from biasloop.cli import (
    annotators,
    autolabel,
    classify,
    corpus,
    disputed,
    expand,
    imports,
    labels,
    llm,
    models,
    policy,
    prevalence,
    service,
    simulate,
    status,
    trial,
    tune,
    validate,
)
from biasloop.cli.context import WorkspaceBefore, err, opened
from biasloop.errors import BiasloopError, describe_error

TRACEBACK = "BIASLOOP_TRACEBACK"
"""Environment variable: set it to see the traceback of an unexpected error."""

app = typer.Typer(
    name="biasloop",
    help="Turns raw job ads into a bias classifier and a labelled corpus, with few human labels.",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def main(
    context: typer.Context,
    _workspace: WorkspaceBefore = None,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Shows the help if there is no command."""
    context.call_on_close(opened.close)
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


for group in (
    corpus,
    service,
    status,
    annotators,
    disputed,
    policy,
    trial,
    imports,
    labels,
    llm,
    models,
    classify,
    expand,
    simulate,
    validate,
    prevalence,
    tune,
    autolabel,
):
    group.add_to(app)
app.add_typer(models.app, name="models")


def run() -> None:
    """The console script. An error is one line on standard error and an exit code: 2 for a wrong
    command line or setting, 1 for everything else."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # what a terminal cannot show is no fault
    # Where it is installed, peft loads it, and it warns of what it lacks on a CPU.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    try:
        app()
    except BiasloopError as error:
        _exit_with(str(error), error.exit_code)
    except OSError as error:
        _exit_with(describe_error(error), 1)
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        _exit_with(f"unexpected, a bug in biasloop: {error!r}; set {TRACEBACK}=1 to see where", 1)


def _exit_with(message: str, code: int) -> None:
    err.print(f"error: {message}", markup=False, soft_wrap=True, style="red")
    if isinstance(sys.stdout, io.TextIOWrapper):  # None where it is closed
        try:
            sys.stdout.flush()
        except OSError:  # Python would try again as it ends, and exit with a code of its own
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


if __name__ == "__main__":
    run()
