"""What every command shares: the workspace, output for people and for scripts, progress."""

import json
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
"""In the environment: the workspace of all commands that --workspace names none for."""

_GIVEN = "biasloop.workspace"
"""Where a command line keeps the workspace that was named last."""


def _named_last(context: typer.Context, folder: Path | None) -> Path | None:
    """The folder named here, or else the one named before the command."""
    if folder is not None:
        context.meta[_GIVEN] = folder
    return context.meta.get(_GIVEN)


def _workspace_option(help: str, envvar: str | None = None) -> Any:
    """-w, which stands before a command or after it; what stands nearest to the end counts."""
    return typer.Option(
        "--workspace", "-w", help=help, envvar=envvar, callback=_named_last, show_default=False
    )


Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Workspace = Annotated[Path | None, _workspace_option("The workspace folder; default: this folder.")]
WorkspaceBefore = Annotated[
    Path | None,
    _workspace_option(
        "The workspace folder; default: this folder. Also after a command.", WORKSPACE
    ),
]
"""The same before all commands, where the environment may name it, too."""


opened = ExitStack()
"""Closes the workspaces that the command opened."""


def open_workspace(folder: Path | None) -> "Service":
    """The workspace in that folder, or in the current one, wired. Imports are here so that --help
    stays quick."""
    from biasloop.service.service import Service

    service = Service(folder or Path("."))
    opened.callback(service.close)
    return service


def say(text: str) -> None:
    """A line for people; what comes from outside is never read as markup."""
    out.print(text, markup=False, soft_wrap=True)


def log(text: str) -> None:
    """A line of a long-running command, with the local time, on standard error."""
    err.print(f"{datetime.now():%H:%M:%S} {text}", markup=False, soft_wrap=True)  # noqa: DTZ005


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def local(moment: datetime | None) -> str:
    """A moment in the local zone, for people."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M}" if moment else "—"


IDS = frozenset({"round", "model"})
"""Columns that people copy from: never cut nor broken."""


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """A table for people."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold", no_wrap=column in IDS)
    for row in rows:
        shown.add_row(*(_cell(row.get(column)) for column in columns))
    out.print(shown)


def _cell(value: Any) -> str:
    from rich.markup import escape

    if value is None:
        return "—"
    return escape(local(value) if isinstance(value, datetime) else str(value))


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error; call it with how much is done so far."""
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
    """Aware UTC."""
    return datetime.now(UTC)


def fail(message: str) -> ConfigError:
    """A wrong use of a command."""
    return ConfigError(message)
