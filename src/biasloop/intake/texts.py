"""Reads texts to classify: rows with a text and, if known, an id and a language."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from biasloop.intake.record import BadRow, Record
from biasloop.intake.rows import EXCERPT_CHARACTERS, Reject, raw_id
from biasloop.intake.values import as_id, as_text, is_missing


@dataclass(frozen=True, slots=True)
class Text:
    """A text; without an id of its own, the id is the number of its line. Its language is "" if it
    says none."""

    id: str | int
    text: str
    language: str = ""


def read_texts(rows: Iterable[Record], columns: Mapping[str, str]) -> Iterator[Text | Reject]:
    """The texts of these records. An empty text is one; a missing text is a reject."""
    column = columns.get("text", "text")
    for line, start, record in rows:
        try:
            if isinstance(record, BadRow):
                raise record
            if column not in record:
                raise BadRow(f"no column {column}; it has: {', '.join(record) or 'nothing'}")
            if record[column] != "" and is_missing(record[column]):
                raise BadRow("no text")
            text = as_text(record[column], "text")
            yield Text(_id(raw_id(record, columns), line), text, _language(record, columns))
        except BadRow as reason:
            yield Reject(line, str(reason), start[:EXCERPT_CHARACTERS])


def _id(value: Any, line: int) -> str | int:
    """The id as it was given, apart from the decimal point of a whole number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return as_id(value) or line


def _language(record: Mapping[str, Any], columns: Mapping[str, str]) -> str:
    value = record.get(columns.get("language", "language"))
    return value if isinstance(value, str) and not is_missing(value, words=True) else ""
