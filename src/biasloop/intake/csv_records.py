"""Records of CSV, with commas, semicolons or tabs."""

import csv
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from biasloop.domain.cells import restore_formula
from biasloop.errors import DataError
from biasloop.intake.json_records import lines
from biasloop.intake.record import ADS_TABLE, ITEMS_TABLE, BadRow, Reading, Record, Untyped

_SEPARATOR = "sep="
"""Excel reads and writes a first line such as "sep=;"."""


def csv_records(text: TextIO, path: Path, delimiters: str, reading: Reading) -> Iterator[Record]:
    """The rows, numbered by the line on which they begin. The delimiter is the one of `delimiters`
    that occurs most often in the header. Raises DataError at an unreadable header."""
    source = _Lines(lines(text))
    first = source.peek()
    delimiter = max(delimiters, key=first.count)
    if first.lower().startswith(_SEPARATOR):
        delimiter = first.strip()[len(_SEPARATOR) :] or delimiter
        next(source)
    try:
        header = [name.strip() for name in next(csv.reader(source, delimiter=delimiter), [])]
    except (csv.Error, TypeError) as error:
        raise DataError(f"{path}: the header is not CSV: {error}; is it a table?") from None
    reading.check_columns(path, header)
    own = set(header) >= ITEMS_TABLE or set(header) >= ADS_TABLE
    for line, values in _rows(source, delimiter):
        start = delimiter.join(values) if isinstance(values, list) else ""
        if isinstance(values, BadRow):
            yield line, start, values
        elif len(values) > len(header):
            reason = f"the row has {len(values)} columns, the header only {len(header)}"
            yield line, start, BadRow(reason)
        elif values:
            cells = map(restore_formula, values) if own else values
            # In a short row the last columns count as empty.
            yield line, start, Untyped(zip(header, cells, strict=False))


class _Lines:
    """Lines that can be put back, counted."""

    def __init__(self, stream: Iterator[str]) -> None:
        self._stream = stream
        self._waiting: deque[str] = deque()
        self.row: list[str] = []
        """The lines of the present row."""
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._waiting.popleft() if self._waiting else next(self._stream)
        self.number += 1
        self.row.append(line)
        return line

    def peek(self) -> str:
        """The next line; "" at the end."""
        if not self._waiting:
            self._waiting.extend([line] if (line := next(self._stream, "")) else ())
        return self._waiting[0] if self._waiting else ""

    def keep_first(self) -> None:
        """Puts all lines of the present row back except the first."""
        back = self.row[1:]
        self._waiting.extendleft(reversed(back))
        self.number -= len(back)


def _rows(source: _Lines, delimiter: str) -> Iterator[tuple[int, list[str] | BadRow]]:
    """(line, values or why they cannot be read). A quote that is never closed costs its own line
    only, not the lines that it would swallow."""
    while True:
        source.row = []
        line = source.number + 1
        try:
            values = next(csv.reader(source, delimiter=delimiter))
        except StopIteration:
            return
        except csv.Error as error:
            if len(source.row) == 1:
                yield line, BadRow(f"broken CSV: {error}")
                continue
            values = None
        if values is None or (not source.peek() and _is_open(source.row, delimiter)):
            source.keep_first()
            yield line, BadRow("broken CSV: a quote opens in this row and is never closed")
        else:
            yield line, values


def _is_open(row: list[str], delimiter: str) -> bool:
    """Whether the lines of a row end within quotes."""
    try:
        list(csv.reader(row, delimiter=delimiter, strict=True))
    except csv.Error as error:
        return "unexpected end of data" in str(error)
    return False
