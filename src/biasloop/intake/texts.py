"""Reads texts to classify: rows with a text and, if known, an id, a title and a language."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from biasloop.domain.columns import AdColumns
from biasloop.intake.columns import KeptColumns
from biasloop.intake.record import BadRow, Record
from biasloop.intake.rows import EXCERPT_CHARACTERS, Reject, raw_id
from biasloop.intake.values import as_id, as_text, is_missing


@dataclass(frozen=True, slots=True)
class Text:
    """A text; without an id of its own, the id is the number of its line. Its title and language
    are "" if it says none. `columns` are all the others."""

    id: str | int
    text: str
    language: str = ""
    title: str = ""
    columns: AdColumns = field(default_factory=dict)


def kept_columns(columns: Mapping[str, str]) -> KeptColumns:
    """Reads the other columns of texts, where `columns` says which fields are in which."""
    fields = {columns.get(name, name) for name in ("id", "text", "title")}
    return KeptColumns(fields, reserved=frozenset())


def read_texts(
    rows: Iterable[Record], columns: Mapping[str, str], kept: KeptColumns | None = None
) -> Iterator[Text | Reject]:
    """The texts of these records. An empty text is one; a missing text is a reject. Without `kept`,
    which reads them, texts have no other columns."""
    column = columns.get("text", "text")
    for line, start, record in rows:
        try:
            if isinstance(record, BadRow):
                raise record
            if column not in record:
                raise BadRow(f"no column {column}; it has: {', '.join(record) or 'nothing'}")
            if record[column] != "" and is_missing(record[column]):
                raise BadRow("no text")
            yield Text(
                id=_id(raw_id(record, columns), line),
                text=as_text(record[column], "text"),
                language=_word(record, columns, "language"),
                title=_word(record, columns, "title"),
                columns={} if kept is None else kept.read(line, record),
            )
        except BadRow as reason:
            yield Reject(line, str(reason), start[:EXCERPT_CHARACTERS])


def _id(value: Any, line: int) -> str | int:
    """The id as it was given, apart from the decimal point of a whole number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return as_id(value) or line


def _word(record: Mapping[str, Any], columns: Mapping[str, str], name: str) -> str:
    value = record.get(columns.get(name, name))
    return value if isinstance(value, str) and not is_missing(value, words=True) else ""


def in_chunks(texts: Iterable[Text], most: int, characters: int) -> Iterator[Sequence[Text]]:
    """The texts in pieces of at most `most`; a piece ends once its texts have that many
    characters. The same texts give the same pieces."""
    chunk: list[Text] = []
    size = 0
    for text in texts:
        chunk.append(text)
        size += len(text.text)
        if len(chunk) == most or size >= characters:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
