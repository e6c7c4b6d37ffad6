"""Columns of the input that mean nothing to the loop and are kept with the ad: employer, date.

A value keeps its own type. Which type a column has as a whole is decided when it is read back, over
all ads that have it, because several files may have columns of the same name.
"""

import json
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import UTC, date, datetime
from typing import Any

Cell = str | int | float | bool | date | datetime | None
"""A cell; None if it is empty."""
AdColumns = Mapping[str, Cell]
"""Cells by the name of their column."""

RESERVED = frozenset({"id", "ad_id", "title", "text", "language", "source"})
"""Names that mean something else where columns are given back."""
INPUT = "input_"
"""What is put before a reserved name."""

KIND_NAMES = {
    str: "text", int: "whole numbers", float: "numbers", bool: "true and false",
    date: "dates", datetime: "times",
}  # fmt: skip

_NUMBERS = frozenset({int, float})
_DATES = frozenset({date, datetime})


def escape_unprintable(name: str) -> str:
    """A name of a column as it may be printed: in one line, with control characters escaped, which
    would steer a terminal."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in name)


def column_kinds(rows: Iterable[AdColumns]) -> dict[str, type]:
    """The type of every column, by name, in the order in which the columns first occur; str for one
    that is empty everywhere."""
    kinds: dict[str, set[type]] = {}
    for columns in rows:
        for name, value in columns.items():
            kinds.setdefault(name, set()).update(() if value is None else (type(value),))
    return {name: common_kind(known) for name, known in kinds.items()}


def common_kind(kinds: Set[type]) -> type:
    """The type of a column whose values have these types: whole and other numbers are numbers,
    dates and times are times, and any other mixture is text."""
    if len(kinds) == 1:
        return next(iter(kinds))
    if kinds and kinds <= _NUMBERS:
        return float
    return datetime if kinds and kinds <= _DATES else str


def as_kind(value: Cell, kind: type) -> Cell:
    """A value as a member of a column of this type, which `column_kinds` gave. A time without a
    zone counts as UTC."""
    if kind is datetime and isinstance(value, date):
        if not isinstance(value, datetime):
            return datetime(value.year, value.month, value.day, tzinfo=UTC)
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if value is None or type(value) is kind:
        return value
    if kind is float and isinstance(value, int):
        return float(value)
    return as_text(value)


def as_text(value: Cell) -> str:
    """A value as text: dates in ISO 8601, `true` and `false`, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date) else str(value)


def to_json(columns: AdColumns) -> str:
    """The columns as they are stored, "" if there are none."""
    return json.dumps(columns, ensure_ascii=False, default=_tagged) if columns else ""


def from_json(text: str | None) -> dict[str, Cell]:
    """Undoes `to_json`."""
    return rows_from_json([text])[0]


def rows_from_json(texts: Sequence[str | None]) -> list[dict[str, Cell]]:
    """The same for many rows, parsed at once."""
    array = f"[{','.join(text or '{}' for text in texts)}]"
    rows: list[dict[str, Cell]] = json.loads(
        array, object_hook=_untagged if _TAG in array else None
    )
    return rows


_TAG = r"\u0000"
"""Without it in the JSON there are no dates: a hook for each row takes long."""


def _tagged(value: date) -> dict[str, str]:
    return {"\0time" if isinstance(value, datetime) else "\0date": value.isoformat()}


def _untagged(pairs: dict[str, Any]) -> Any:
    # No name of a column holds the character NUL, so an object with it is a date.
    if "\0date" in pairs:
        return date.fromisoformat(pairs["\0date"])
    return datetime.fromisoformat(pairs["\0time"]) if "\0time" in pairs else pairs
