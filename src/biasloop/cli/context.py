"""What every command shares: the workspace, output for people and for scripts, progress."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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

Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]

WORKSPACE = "BIASLOOP_WORKSPACE"


def set_workspace(folder: Path) -> None:
    """Every later `open_workspace` of this process means this folder."""
    os.environ[WORKSPACE] = str(folder)


def workspace_folder() -> Path:
    """The folder that --workspace or BIASLOOP_WORKSPACE names, else the current one."""
    return Path(os.environ.get(WORKSPACE, "."))


def open_workspace() -> "Service":
    """The workspace, wired. Imports are here so that --help stays quick."""
    from biasloop.service.service import Service

    return Service(workspace_folder())


def say(text: str) -> None:
    """A line for people; what comes from outside is never read as markup."""
    out.print(text, markup=False, soft_wrap=True)


def tell(text: str) -> None:
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
