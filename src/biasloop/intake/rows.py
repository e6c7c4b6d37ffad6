"""Rows of an input, one at a time, bad ones with the reason why.

What comes in is untrusted. A row is checked here for its form; what it means is ingest's matter.
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
"""Characters of a text."""
MAX_NAME_CHARACTERS = 200
"""Characters of an id, a root, a group and the like."""
EXCERPT = 200

FIELDS = {
    "id": "id", "title": "title", "text": "text", "language": "language", "source": "source",
    "label": "label", "labels": "labels", "root": "root", "group": "sector", "spans": "spans",
    "rewrite": "rewrite", "context": "context",
}  # fmt: skip
"""Fields of a row, and the columns they are read from unless told otherwise."""

_NAMES = ("id", "language", "source", "root", "group")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Row:
    """One good row. `labels` is None where the row has no label; `context` is the ad that a gold
    sentence stands in; `extra` holds spans (a list) and rewrite (a text), verbatim, where there
    are any."""

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
    """A row that cannot be used: its line, why, and how it begins."""

    line: int
    reason: str
    excerpt: str


def read_rows(
    path: Path,
    columns: Mapping[str, str] | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Iterator[Row | Reject]:
    """Streams the rows of a file or folder; see biasloop.intake.files for the kinds.

    `columns` names the column of a field where it is not the one in FIELDS. `labels` is a list; in
    CSV its names stand between "|". `progress` is told the bytes read so far, now and then.

    Raises DataError when the input cannot be read, is of an unknown kind, or is a table without
    the columns that are needed.
    """
    wanted = FIELDS | dict(columns or {})
    if len(wanted) > len(FIELDS):
        odd = ", ".join(sorted(wanted.keys() - FIELDS.keys()))
        raise DataError(f"no field {odd} to map a column to; known: {', '.join(FIELDS)}")
    needed = {wanted["text"], *(columns or {}).values()}
    for line, start, record in records(path, needed, progress):
        yield _checked(line, start, record, wanted)


def _checked(
    line: int, start: str, record: Mapping[str, Any] | BadRow, columns: Mapping[str, str]
) -> Row | Reject:
    try:
        if _SURROGATE.search(start):
            raise BadRow(NOT_UTF_8)
        if isinstance(record, BadRow):
            raise record
        return _to_row(line, {name: record.get(column) for name, column in columns.items()})
    except BadRow as why:
        return Reject(line, str(why), start[:EXCERPT])


def _to_row(line: int, values: Mapping[str, Any]) -> Row:
    """The row of the values by field. Raises BadRow."""
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


def _text(values: Mapping[str, Any], name: str, longest: int) -> str:
    value = values[name]
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise BadRow(f"{name} is not a text")
    if len(value) > longest:
        raise BadRow(f"{name} has {len(value)} characters, over {longest}")
    return _storable(value, name)


def _storable(value: str, name: str) -> str:
    if "\0" in value:
        raise BadRow(f"a NUL character in {name}")
    if _SURROGATE.search(value):
        raise BadRow(f"half a surrogate pair in {name}")
    return value


def _labels(values: Mapping[str, Any]) -> tuple[str, ...] | None:
    given = values["label"] if values["labels"] in (None, "") else values["labels"]
    if given in (None, ""):
        return None
    if isinstance(given, str) and values["labels"] == given:
        given = given.split("|")
    chosen = given if isinstance(given, list) else [given]
    names = [_text({"label": name}, "label", MAX_NAME_CHARACTERS).strip() for name in chosen]
    return tuple(dict.fromkeys(names))


def _spans(given: Any) -> list[Any]:
    try:
        spans = json.loads(given) if isinstance(given, str) and given else given or []
        flat = json.dumps(spans, ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError):
        raise BadRow("spans is not JSON") from None
    if not isinstance(spans, list):
        raise BadRow("spans is not a list")
    _storable(flat.replace("\\u0000", "\0"), "spans")
    return spans
