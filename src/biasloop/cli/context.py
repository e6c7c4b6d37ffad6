"""What every command shares: the workspace, output for people and for scripts, progress."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from biasloop.errors import ConfigError

if TYPE_CHECKING:
    from biasloop.service.service import Service

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

WORKSPACE = "BIASLOOP_WORKSPACE"
"""Environment variable with the workspace for commands without --workspace."""

_WORKSPACE_KEY = "biasloop.workspace"
"""Key in a context's `meta` of the folder that the last --workspace named."""


def _last_workspace(context: typer.Context, folder: Path | None) -> Path | None:
    """The folder that this option names, else the one that was named before the command."""
    if folder is not None:
        context.meta[_WORKSPACE_KEY] = folder
    return context.meta.get(_WORKSPACE_KEY)


def _workspace_option(help: str, envvar: str | None = None) -> Any:
    """-w, which may stand before a command or after it; the last one counts."""
    return typer.Option(
        "--workspace", "-w", help=help, envvar=envvar, callback=_last_workspace, show_default=False
    )


Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Workspace = Annotated[Path | None, _workspace_option("The workspace folder; default: this folder.")]
WorkspaceBefore = Annotated[
    Path | None,
    _workspace_option(
        "The workspace folder; default: this folder. Also after a command.", WORKSPACE
    ),
]
"""The same option before all commands; there the environment may name the folder, too."""


opened = ExitStack()
"""Closes, at the end, the workspaces that the command opened."""


def open_workspace(folder: Path | None) -> "Service":
    """Opens the workspace in that folder, or in the current one. The import is here so that --help
    stays fast."""
    from biasloop.service.service import Service

    service = Service(folder or Path("."))
    opened.callback(service.close)
    return service


def say(text: str) -> None:
    """Prints a line for people; the text is never read as markup."""
    out.print(text, markup=False, soft_wrap=True)


def confirm(question: str, yes: bool) -> None:
    """Asks on a terminal, unless `yes`; ends the command on any other answer."""
    if sys.stdin.isatty() and not yes:
        typer.confirm(question, abort=True, err=True)


def log(text: str) -> None:
    """Prints a line of a long-running command, with the local time, on standard error."""
    err.print(f"{datetime.now():%H:%M:%S} {text}", markup=False, soft_wrap=True)  # noqa: DTZ005


def warn(text: str) -> None:
    """Prints a line about input that is not used, on standard error."""
    err.print(text, markup=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """Prints one JSON document on standard output, in ASCII where that is not UTF-8."""
    from biasloop.reports.json_values import to_json

    utf8 = "utf" in (sys.stdout.encoding or "").lower()
    typer.echo(to_json(value, ascii_only=not utf8, indent=2))


def local(moment: datetime | None) -> str:
    """A moment in the local time zone, as text for people."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M}" if moment else "—"


IDS = frozenset({"round", "model", "import"})
"""Columns whose values people copy: never cut or wrapped."""


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Prints a table for people."""
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        grid.add_column(column, overflow="fold", no_wrap=column in IDS)
    for row in rows:
        grid.add_row(*(_cell(row.get(column)) for column in columns))
    out.print(grid)


def _cell(value: Any) -> str:
    from rich.markup import escape

    if value is None:
        return "—"
    return escape(local(value) if isinstance(value, datetime) else str(value))


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Shows a progress bar on standard error; call what it yields with the amount done so far."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    hidden = not err.is_terminal
    with Progress(*columns, console=err, transient=True, disable=hidden) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


def now() -> datetime:
    """The current time, aware UTC."""
    return datetime.now(UTC)


def fail(message: str) -> ConfigError:
    """The error to raise when a command is used wrongly."""
    return ConfigError(message)
