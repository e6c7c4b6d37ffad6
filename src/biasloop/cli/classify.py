"""classify: verdicts of the model in service on texts from anywhere."""

import csv
import io
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from biasloop.cli.context import Workspace, fail, open_workspace, warn
from biasloop.cli.importing import Encoding, column_mapping
from biasloop.errors import DataError
from biasloop.intake.record import COLUMN_ADVICE, Reading, Record

if TYPE_CHECKING:
    from biasloop.intake.texts import Text

FORMATS = ("json", "csv")
FOREIGN = (".pdf", ".doc", ".docx", ".odt", ".rtf", ".xls", ".html", ".htm", ".xml", ".zip", ".md")
"""Suffixes of files that are not read, by which a file name is told from a text."""


def add_to(root: typer.Typer) -> None:
    """Adds the command of this file."""
    root.command()(classify)


def classify(
    what: Annotated[
        str,
        typer.Argument(
            help="A file or folder with texts, as for import; - for JSON lines on standard input; "
            "or a text."
        ),
    ],
    format: Annotated[
        str,
        typer.Option(
            help="json (a line for each text) or csv (a row for each text, without sentences).",
            autocompletion=lambda: list(FORMATS),
        ),
    ] = "json",
    column: Annotated[
        list[str] | None,
        typer.Option(help="FIELD=COLUMN for id, text or language in another column; repeatable."),
    ] = None,
    encoding: Encoding = None,
    workspace: Workspace = None,
) -> None:
    """Prints verdicts of the model in service, as JSON lines or CSV.

    A verdict has the text's id, probabilities, flagged labels, sentences, and the words that carry
    it. Other columns are not repeated. A bad row is named on standard error. Exit status 1: no
    text was read.
    """
    from biasloop.reports.classify import classify as verdicts
    from biasloop.reports.classify import flat_verdict
    from biasloop.reports.json_values import to_json
    from biasloop.service.models import in_service

    if format not in FORMATS:
        raise fail("--format must be json or csv")
    service = open_workspace(workspace)
    about, scheme = service.campaign.about, service.campaign.scheme
    _, model = in_service(service)
    rows = _texts(what, column_mapping(column), encoding)
    results = verdicts(
        rows,
        model,
        unit=about.unit,
        language=about.language,
        keep_markup=service.settings.intake.markup == "keep",
    )
    if format == "csv":
        _echo(_csv_line(["id", "flagged", *(f"p_{name}" for name in scheme.labels)]))
    for verdict in results:
        if format == "csv":
            _echo(_csv_line(flat_verdict(verdict).values()))
        else:
            _echo(to_json(verdict))


def _echo(line: str) -> None:
    # UTF-8 whatever the locale; half a surrogate pair goes out as JSON's escape.
    typer.echo(line.encode("utf-8", "backslashreplace"))


def _csv_line(values: Any) -> str:
    from biasloop.plugins.exporters.csv import cell

    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([cell(value) for value in values])
    return line.getvalue()


def _texts(what: str, columns: Mapping[str, str], encoding: str | None) -> Iterator["Text"]:
    """Every text; rejects are named on standard error. Raises DataError if there is no text."""
    from biasloop.intake.rows import Reject
    from biasloop.intake.texts import read_texts

    read = 0
    for row in read_texts(_records(what, columns, encoding), columns):
        if isinstance(row, Reject):
            warn(f"rejected: line {row.line}: {row.reason}")
            continue
        read += 1
        yield row
    if not read:
        raise DataError(f"there is no text in {what} that can be read; rows must have a text")


def _records(what: str, columns: Mapping[str, str], encoding: str | None) -> Iterator[Record]:
    from biasloop.intake.files import records, stream_records

    needed = frozenset({columns.get("text", "text"), *columns.values()})
    reading = Reading(
        needed=needed,
        advice=COLUMN_ADVICE,
        encoding=encoding,
        unread=lambda name, reason: warn(f"not read: {name}: {reason}"),
    )
    if what == "-":
        yield from stream_records(sys.stdin.buffer, "standard input", reading)
    elif os.path.exists(what) or is_path(what):
        yield from records(Path(what), reading)
    else:
        yield 1, what, {"id": "text", "text": what}


def is_path(what: str) -> bool:
    """Whether an argument that is no existing file was meant to be one: it is one line with the
    suffix of a file, or without white space and in a folder that exists."""
    from biasloop.intake.files import GZIP, TABLES, TEXT

    if "\n" in what or len(what) > 1000:
        return False
    path = Path(what)
    if path.suffix.lower() in (*TABLES, *FOREIGN, TEXT, GZIP) and not path.stem[-1:].isspace():
        return True
    one_word = not any(character.isspace() for character in what)
    return one_word and os.sep in what and path.parent.is_dir()
