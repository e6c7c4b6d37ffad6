"""Reads the rows of an input one at a time; bad rows come as rejects with the reason.

The input is untrusted. This module checks the form of a row; `ingest` checks its meaning.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from biasloop.errors import DataError
from biasloop.intake.files import BadRow, records
from biasloop.intake.jsonl import NOT_UTF_8

MAX_CHARACTERS = 100_000
"""Maximum number of characters of a text."""
MAX_NAME_CHARACTERS = 200
"""Maximum number of characters of an id, a root, a group and the like."""
EXCERPT_CHARACTERS = 200
"""A reject contains this many characters of the row."""

FIELDS = {
    "id": "id", "title": "title", "text": "text", "language": "language", "source": "source",
    "label": "label", "labels": "labels", "root": "root", "group": "sector", "spans": "spans",
    "rewrite": "rewrite", "context": "context",
}  # fmt: skip
"""The fields of a row, and the columns that they are read from by default."""

_NAMES = ("id", "language", "source", "root", "group")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Row:
    """A row that has passed the checks.

    `labels` is None if the row has no label. `context` is the ad that contains a gold sentence.
    `extra` holds "spans" (a list) and "rewrite" (a string) unchanged, if the row has them.
    """

    line: int
    text: str
    id: str = ""
    title: str = ""
    language: str = ""
    source: str = ""
    labels: tuple[str, ...] | None = None
    root: str = ""
    group: str = ""
    context: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that cannot be used: its line number, the reason, and its beginning."""

    line: int
    reason: str
    excerpt: str


def read_rows(
    path: Path,
    columns: Mapping[str, str] | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Iterator[Row | Reject]:
    """Streams the rows of a file or folder; see biasloop.intake.files for the kinds.

    `columns` maps fields to columns other than those in FIELDS. The field `labels` is a list; in
    CSV its labels are separated by "|". `progress` is called now and then with the number of bytes
    read so far.

    Raises DataError if the input cannot be read, is of an unsupported kind, or is a table that
    lacks a column.
    """
    column_of = FIELDS | dict(columns or {})
    if len(column_of) > len(FIELDS):
        unknown = ", ".join(sorted(column_of.keys() - FIELDS.keys()))
        raise DataError(f"no field {unknown}; columns can be mapped to: {', '.join(FIELDS)}")
    needed = {column_of["text"], *(columns or {}).values()}
    for line, start, record in records(path, needed, progress):
        yield _row_or_reject(line, start, record, column_of)


def _row_or_reject(
    line: int, start: str, record: Mapping[str, Any] | BadRow, column_of: Mapping[str, str]
) -> Row | Reject:
    try:
        if _SURROGATE.search(start):
            raise BadRow(NOT_UTF_8)
        if isinstance(record, BadRow):
            raise record
        return _to_row(line, {name: record.get(column) for name, column in column_of.items()})
    except BadRow as reason:
        return Reject(line, str(reason), start[:EXCERPT_CHARACTERS])


def _to_row(line: int, values: Mapping[str, Any]) -> Row:
    """Makes a row from values by field. Raises BadRow."""
    text = _text(values, "text", MAX_CHARACTERS)
    if not text.strip():
        raise BadRow("no text")
    extra = {"spans": _spans(values["spans"]), "rewrite": _text(values, "rewrite", MAX_CHARACTERS)}
    return Row(
        line=line,
        text=text,
        title=_text(values, "title", MAX_CHARACTERS),
        context=_text(values, "context", MAX_CHARACTERS),
        labels=_labels(values),
        extra={name: value for name, value in extra.items() if value},
        **{name: _text(values, name, MAX_NAME_CHARACTERS) for name in _NAMES},
    )


def _text(values: Mapping[str, Any], name: str, max_characters: int) -> str:
    """The value of a field as a string; "" if there is none. Raises BadRow."""
    value = values[name]
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise BadRow(f"{name} is not a string")
    if len(value) > max_characters:
        raise BadRow(f"{name} has {len(value)} characters, more than {max_characters}")
    _check_characters(value, name)
    return value


def _check_characters(value: str, name: str) -> None:
    """Raises BadRow if the value contains characters that cannot be stored."""
    if "\0" in value:
        raise BadRow(f"{name} contains a NUL character")
    if _SURROGATE.search(value):
        raise BadRow(f"{name} contains half a surrogate pair")


def _labels(values: Mapping[str, Any]) -> tuple[str, ...] | None:
    value = values["label"] if values["labels"] in (None, "") else values["labels"]
    if value in (None, ""):
        return None
    if isinstance(value, str) and values["labels"] == value:
        value = value.split("|")
    labels = value if isinstance(value, list) else [value]
    names = [_text({"label": label}, "label", MAX_NAME_CHARACTERS).strip() for label in labels]
    return tuple(dict.fromkeys(names))


def _spans(value: Any) -> list[Any]:
    try:
        spans = json.loads(value) if isinstance(value, str) and value else value or []
        as_json = json.dumps(spans, ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError):
        raise BadRow("spans is not valid JSON") from None
    if not isinstance(spans, list):
        raise BadRow("spans is not a list")
    _check_characters(as_json.replace("\\u0000", "\0"), "spans")
    return spans
