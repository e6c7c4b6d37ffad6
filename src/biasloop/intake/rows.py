"""Reads the rows of an input one at a time; bad rows come as rejects with the reason.

The input is untrusted. This module checks the form of a row; `ingest` checks its meaning.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from biasloop.domain.columns import AdColumns
from biasloop.domain.item import item_id
from biasloop.domain.label import MACHINE
from biasloop.errors import DataError
from biasloop.intake.columns import KeptColumns
from biasloop.intake.exported import ExportedItem, exported_item, is_exported_item
from biasloop.intake.files import records
from biasloop.intake.record import AdFile, BadRow, Reading
from biasloop.intake.values import as_id, as_text, is_missing, label_names

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
AD_ID = "ad_id"
"""The column of ids in an export, read if there is no id."""

_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Row:
    """A row that has passed the checks.

    `labels` is None if the row has no label. `context` is the ad that contains a gold sentence.
    `extra` holds "spans" (a list) and "rewrite" (a string) unchanged, if the row has them.
    `former_ids` are the ids that earlier versions of biasloop gave to such a row ("": a hash of its
    text), `spare_id` is the one that it gets if another ad has its id. `exported` is the item of
    a row of an export. `columns` are those of its ad that are no fields.
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
    former_ids: tuple[str, ...] = ()
    spare_id: str = ""
    exported: ExportedItem | None = None
    columns: AdColumns = field(default_factory=dict)

    @property
    def ad_id(self) -> str:
        """The row's id, or a hash of its text if it has none."""
        return self.id or item_id("", 0, len(self.text), self.text)


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that cannot be used: its line number, the reason, its beginning, and its id if that is
    known."""

    line: int
    reason: str
    excerpt: str
    id: str = ""


def kept_columns(columns: Mapping[str, str]) -> KeptColumns:
    """Reads the columns that are no fields, where `columns` are those of `read_rows`. The column of
    the field `group` is one of an ad as well."""
    fields = {column for name, column in (FIELDS | dict(columns)).items() if name != "group"}
    return KeptColumns(fields if "id" in columns else fields | {AD_ID})


def read_rows(
    path: Path,
    columns: Mapping[str, str] | None = None,
    reading: Reading | None = None,
    kept: KeptColumns | None = None,
) -> Iterator[Row | Reject]:
    """Streams the rows of a file or folder; see biasloop.intake.files for the kinds.

    `columns` maps fields to columns other than those in FIELDS. The field `labels` is a list, or
    several labels in one cell, separated by "|" or written as a list. `kept` reads the other
    columns; without it rows have none.

    Raises DataError if the input cannot be read, is of an unsupported kind, or is a table that
    lacks a column.
    """
    columns = columns or {}
    if unknown := ", ".join(sorted(columns.keys() - FIELDS.keys())):
        raise DataError(f"no field {unknown}; columns can be mapped to: {', '.join(FIELDS)}")
    column_of = FIELDS | dict(columns)
    needed = frozenset({column_of["text"], *columns.values()})
    for line, start, record in records(path, replace(reading or Reading(), needed=needed)):
        row = _row_or_reject(line, start, record, columns)
        if (
            kept is not None
            and isinstance(row, Row)
            and row.exported is None
            and not isinstance(record, BadRow)
        ):
            row = replace(row, columns=kept.read(line, record))
        yield row


def _row_or_reject(
    line: int, start: str, record: Mapping[str, Any] | BadRow, columns: Mapping[str, str]
) -> Row | Reject:
    row_id = ""
    try:
        if isinstance(record, BadRow):
            raise record
        row_id = as_id(raw_id(record, columns))
        if is_exported_item(record):
            return _exported_row(line, record)
        return _to_row(line, record, columns)
    except BadRow as reason:
        return Reject(line, str(reason), start[:EXCERPT_CHARACTERS], row_id[:MAX_NAME_CHARACTERS])


def raw_id(record: Mapping[str, Any], columns: Mapping[str, str]) -> Any:
    """The value of a row's id; that of the column `ad_id` if there is none."""
    value = record.get(columns.get("id", "id"))
    return record.get(AD_ID) if is_missing(value) and "id" not in columns else value


def _former_ids(record: Mapping[str, Any], columns: Mapping[str, str]) -> tuple[str, ...]:
    """The other ids that earlier versions of biasloop gave to a row."""
    if isinstance(record, AdFile):
        former = record.former_id
    elif is_missing(record.get(columns.get("id", "id"))):
        former = ""
    else:
        raw = raw_id(record, columns)
        former = raw if isinstance(raw, str) else as_id(raw)
    return () if former == as_id(raw_id(record, columns)) else (former,)


def _to_row(line: int, record: Mapping[str, Any], columns: Mapping[str, str]) -> Row:
    """Makes a row from values by column. Raises BadRow."""
    column_of = FIELDS | dict(columns)
    values = {name: record.get(column) for name, column in column_of.items()}
    if column_of["text"] not in record:
        known = ", ".join(record)[:EXCERPT_CHARACTERS]
        raise BadRow(f"no column {column_of['text']}; it has: {known or 'nothing'}")
    text = _text(values, "text", MAX_CHARACTERS)
    if not text.strip():
        raise BadRow("no text")
    row_id = _checked(as_id(raw_id(record, columns)), "id", MAX_NAME_CHARACTERS)
    extra = {"spans": _spans(values["spans"]), "rewrite": _text(values, "rewrite", MAX_CHARACTERS)}
    return Row(
        line=line,
        text=text,
        id=row_id,
        title=_text(values, "title", MAX_CHARACTERS),
        context=_text(values, "context", MAX_CHARACTERS),
        labels=_labels(values),
        extra={name: value for name, value in extra.items() if value},
        former_ids=_former_ids(record, columns),
        spare_id=record.spare_id if isinstance(record, AdFile) else "",
        language=_text(values, "language", MAX_NAME_CHARACTERS),
        source=_text(values, "source", MAX_NAME_CHARACTERS),
        root=_text(values, "root", MAX_NAME_CHARACTERS),
        group=_text(values, "group", MAX_NAME_CHARACTERS),
    )


def _exported_row(line: int, record: Mapping[str, Any]) -> Row:
    """Makes a row from values of an export's table of items. Raises BadRow."""
    item = exported_item(record)
    text = _checked(item.text, "text", MAX_CHARACTERS)
    # What a model labelled is no evidence: the item comes back without a label.
    labels = None if record["label_source"] == MACHINE else _labels(record)
    return Row(line=line, text=text, id=item.ad_id, labels=labels, exported=item)


def _text(values: Mapping[str, Any], name: str, max_characters: int) -> str:
    """The value of a field as a string; "" if there is none. Raises BadRow."""
    value = values.get(name)
    if is_missing(value, words=name != "text"):
        return ""
    return _checked(as_text(value, name), name, max_characters)


def _checked(value: str, name: str, max_characters: int) -> str:
    """The value. Raises BadRow if it is too long, or contains characters that cannot be stored."""
    if len(value) > max_characters:
        raise BadRow(f"{name} has {len(value)} characters, more than {max_characters}")
    if "\0" in value:
        raise BadRow(f"{name} contains a NUL character")
    if _SURROGATE.search(value):
        raise BadRow(f"{name} contains half a surrogate pair")
    return value


def _labels(values: Mapping[str, Any]) -> tuple[str, ...] | None:
    names = label_names(values)
    if names is None:
        return None
    return tuple(_checked(name, "label", MAX_NAME_CHARACTERS) for name in names)


def _spans(value: Any) -> list[Any]:
    try:
        spans = json.loads(value) if isinstance(value, str) and value else value
        spans = [] if is_missing(spans) else spans
        as_json = json.dumps(spans, ensure_ascii=False, allow_nan=False)
    except (ValueError, TypeError, RecursionError):
        raise BadRow("spans is not valid JSON") from None
    if not spans:
        return []
    if not isinstance(spans, list):
        raise BadRow("spans is not a list")
    _checked(as_json.replace("\\u0000", "\0"), "spans", len(as_json))
    return spans
