"""Reads the columns of a row that are no fields: what `domain.columns` keeps with the ad.

Nothing here rejects a row. A column or a cell that cannot be kept costs itself, is counted, and is
named with the reason.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, time
from decimal import Decimal
from math import isfinite
from typing import Any

from biasloop.domain.columns import INPUT, KIND_NAMES, RESERVED, AdColumns, Cell, common_kind
from biasloop.intake.record import BadRow, Untyped
from biasloop.intake.tables import Unreadable
from biasloop.intake.values import is_missing

MAX_COLUMNS = 200
"""Maximum number of columns of one input that are kept."""
MAX_CELL = 10_000
"""Maximum number of characters of a cell."""
MAX_NAME = 200
"""Maximum number of characters of a column's name."""
MAX_DEPTH = 20
"""Lists and structures may be nested this deep."""
MAX_REFUSED = 100_000
"""Maximum number of columns that are not kept and counted by name."""
MAX_NAMED = 3
"""Maximum number of columns in a note, and of notes of a kind."""

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)?", re.ASCII
)
_WHOLE = re.compile(r"-?(?:0|[1-9]\d{0,7})", re.ASCII)
_DECIMAL = re.compile(r"-?(?:0|[1-9]\d{0,7})\.\d{1,6}", re.ASCII)
"""What counts as a number where everything is text. A longer one may be a telephone or tax number,
one with leading zeros an id or a postal code: these stay text."""
_TRUTH = {"true": True, "True": True, "false": False, "False": False}
_BIGGEST = 2**63
_UNFIT = re.compile("[\0\ud800-\udfff]")


class KeptColumns:
    """Reads the columns of rows, and remembers which were kept and what was not, and why."""

    def __init__(self, fields: AbstractSet[str], reserved: AbstractSet[str] = RESERVED) -> None:
        """`fields` are the columns that are read as fields of a row; a column with one of the
        `reserved` names is kept under another one."""
        self._fields = fields
        self._reserved = reserved
        self._names: dict[str, str] = {}
        self._refused: dict[str, str] = {}
        """Why columns are not kept."""
        self._kinds: dict[str, set[type]] = {}
        self._lost: Counter[tuple[str, str]] = Counter()
        """Numbers of cells that are not kept, by column and reason."""
        self._first_lines: dict[tuple[str, str], int] = {}

    def read(self, line: int, record: Mapping[str, Any]) -> AdColumns:
        """The columns of a row that are kept, by the name under which they are kept."""
        cells: dict[str, Cell] = {}
        for column, value in record.items():
            if column in self._fields or (name := self._name(column)) is None:
                continue
            try:
                cells[name] = cell = as_cell(value, untyped=isinstance(record, Untyped))
            except BadRow as reason:
                self._lost[name, str(reason)] += 1
                self._first_lines.setdefault((name, str(reason)), line)
                continue
            if cell is not None:
                self._kinds.setdefault(name, set()).add(type(cell))
        return cells

    def notes(self, *, in_table: bool = True) -> tuple[str, ...]:
        """What was not kept as it is in the input, and why. `in_table`: a column must have one
        type."""
        by_reason: dict[str, list[str]] = {}
        for column, reason in self._refused.items():
            by_reason.setdefault(reason, []).append(repr(column[:MAX_NAME]))
        refused = [f"{_first(columns)}: {reason}" for reason, columns in by_reason.items()]
        renamed = [
            f"{column!r}: the name is taken; it is kept as {name!r}"
            for column, name in self._names.items()
            if name != column
        ]
        lost = [
            f"{name!r}: {count} cells are not kept, the first in line "
            f"{self._first_lines[name, reason]}: {reason}"
            for (name, reason), count in self._lost.items()
        ]
        mixed = [
            f"{name!r}: it holds {' and '.join(sorted(KIND_NAMES[kind] for kind in kinds))}, "
            "and counts as text"
            for name, kinds in self._kinds.items()
            if in_table and len(kinds) > 1 and common_kind(kinds) is str
        ]
        notes = [*refused, *renamed, *lost[:MAX_NAMED], *mixed[:MAX_NAMED]]
        more = len(lost[MAX_NAMED:]) + len(mixed[MAX_NAMED:])
        rest = (f"and {more} more columns with cells of that kind",) if more else ()
        return (*(f"column {note}" for note in notes), *rest)

    def _name(self, column: str) -> str | None:
        """The name under which a column is kept; None if it is not."""
        name = self._names.get(column)
        if name is None and column not in self._refused:
            name = f"{INPUT}{column}" if column in self._reserved else column
            if reason := self._reason_to_refuse(column, name):
                if len(self._refused) < MAX_REFUSED:
                    self._refused[column[: MAX_NAME + len(INPUT)]] = reason
                return None
            self._names[column] = name
        return name

    def _reason_to_refuse(self, column: str, name: str) -> str | None:
        if not column.strip():
            return "it has no name, and is not kept"
        if len(name) > MAX_NAME:
            return f"a name may have {MAX_NAME} characters; it is not kept"
        if _UNFIT.search(name):
            return "its name contains NUL or half a surrogate pair; it is not kept"
        if len(self._names) == MAX_COLUMNS:
            return f"{MAX_COLUMNS} columns of an input are kept; it is not kept"
        if name in self._names.values():
            return f"another column is kept as {name!r}; it is not kept"
        return None


def _first(columns: list[str]) -> str:
    more = len(columns) - MAX_NAMED
    return ", ".join(columns[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


def as_cell(value: Any, *, untyped: bool = False) -> Cell:
    """A value as it is kept: ISO dates are dates, midnight without a time zone is a date, lists and
    structures become JSON. `untyped` are the cells of CSV, where plain numbers are numbers as well.

    Raises BadRow if it cannot be kept.
    """
    if is_missing(value, words=True):
        return None
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _from_text(_fit(value), untyped=untyped)
    if isinstance(value, datetime):
        return _time(value)
    if isinstance(value, int | float | Decimal):
        return _number(value)
    return value if isinstance(value, date) else _fit(_written(value))


def _from_text(text: str, *, untyped: bool) -> Cell:
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
        if _TIME.fullmatch(text):
            return _in_range(datetime.fromisoformat(text))
    except ValueError:
        return text  # e.g. 2024-02-30
    if untyped and _WHOLE.fullmatch(text) and text != "-0":
        return int(text)
    if untyped and _DECIMAL.fullmatch(text):
        return float(text)
    return _TRUTH.get(text, text) if untyped else text


def _time(value: datetime) -> date | str:
    if value.tzinfo is None and value.time() == time():
        return value.date()
    # pandas has a class of its own, with nanoseconds.
    plain = datetime.combine(value.date(), value.time(), value.tzinfo)
    try:
        return _in_range(datetime.fromisoformat(plain.isoformat()))
    except ValueError:
        return plain.isoformat()


def _in_range(value: datetime) -> datetime:
    """The same time. Raises ValueError if in UTC it is outside the years 1 to 9999."""
    try:
        if value.tzinfo:
            value.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{value} is out of range in UTC") from None
    return value


def _number(value: int | float | Decimal) -> Cell:
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)
    if isinstance(value, int):
        return value if -_BIGGEST <= value < _BIGGEST else _fit(str(value))
    number = float(value)
    return number if isfinite(number) else str(value)


def _written(value: Any) -> str:
    """A value that is neither text, number nor date as text. Raises BadRow."""
    if isinstance(value, Unreadable):
        raise BadRow("it cannot be read")
    if isinstance(value, time):
        return value.isoformat()
    if not isinstance(value, list | tuple | dict):
        raise BadRow(f"a value of type {type(value).__name__} cannot be kept")
    _check_depth(value)
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, TypeError):
        raise BadRow("it cannot be written as JSON") from None


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        parts = [part.values() if isinstance(part, dict) else part for part in level]
        level = [x for part in parts for x in part if isinstance(x, list | tuple | dict)]
        if not level:
            return
    raise BadRow(f"lists or structures are nested more than {MAX_DEPTH} deep")


def _fit(text: str) -> str:
    if len(text) > MAX_CELL:
        raise BadRow(f"more than {MAX_CELL} characters")
    if _UNFIT.search(text):
        raise BadRow("NUL or half a surrogate pair")
    return text
