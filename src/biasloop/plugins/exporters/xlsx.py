"""Excel workbooks. Text is written as text: no cell is a formula or a link."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from biasloop.errors import DataError
from biasloop.plugins.exporters.tables import joined_lists
from biasloop.ports import Columns

MAX_CHARACTERS, MAX_ROWS, MAX_COLUMNS = 32_767, 1_048_576, 16_384
"""Of a cell (in UTF-16), a sheet and a row: Microsoft, "Excel specifications and limits"."""

INSTEAD = "choose another format (parquet, csv or jsonl)"
ROWS = 2_000
SURE_DIGITS = 2**53
CREATED = datetime(2000, 1, 1)  # noqa: DTZ001 - a workbook says when it was made; this one never does
FORMATS = {datetime: "yyyy-mm-dd hh:mm:ss", date: "yyyy-mm-dd"}
FIRST_YEAR = 1900
"""Sheets have no earlier dates: these are text."""
_NOT_IN_XML = re.compile("[\ufffe\uffff]")


class Xlsx:
    """Writes NAME.xlsx with one sheet, row by row. Moments are in UTC."""

    suffix = ".xlsx"

    def write(
        self, table: str, columns: Columns, batches: Iterable[pa.RecordBatch], folder: Path
    ) -> Path:
        """Writes the rows below a line of column names. Raises DataError, which names the place,
        for what a sheet cannot hold, and when XlsxWriter is not installed, OSError on a full
        disk."""
        try:
            import xlsxwriter
            from xlsxwriter.exceptions import FileCreateError
        except ImportError:
            raise DataError(
                "Excel files need one more package: pip install 'biasloop[excel]', "
                "or choose another format"
            ) from None
        if len(columns) > MAX_COLUMNS:
            raise DataError(
                f"{table} has {len(columns)} columns, and an Excel sheet holds {MAX_COLUMNS}; "
                f"{INSTEAD}, or leave columns out"
            )
        path = folder / f"{table}{self.suffix}"
        settings = {"constant_memory": True, "tmpdir": str(folder)}
        try:
            with xlsxwriter.Workbook(path, settings) as book:
                book.set_properties({"created": CREATED})
                sheet = _Sheet(table, book, columns)
                for batch in batches:
                    for begin in range(0, len(batch), ROWS):
                        sheet.add(joined_lists(batch.slice(begin, ROWS)).to_pylist())
        except FileCreateError as error:
            raise error.args[0] from None
        return path


class _Sheet:
    def __init__(self, table: str, book: Any, columns: Columns) -> None:
        self._table, self._columns, self._next = table, list(columns), 0
        self._sheet = book.add_worksheet(table)
        self._formats = {
            column: book.add_format({"num_format": FORMATS[kind]})
            for column, kind in enumerate(columns.values())
            if kind in FORMATS
        }
        for column, name in enumerate(columns):
            self._text(column, name)
        self._next = 1

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Writes rows; empty cells are left out."""
        if self._next + len(rows) > MAX_ROWS:
            raise DataError(
                f"{self._table} has more rows than the {MAX_ROWS - 1} that an Excel sheet holds; "
                f"{INSTEAD}, or export fewer rows by a filter"
            )
        for row in rows:
            for column, value in enumerate(row.values()):
                if value is not None:
                    self._cell(column, value)
            self._next += 1

    def _cell(self, column: int, value: Any) -> None:
        if isinstance(value, str):
            self._text(column, value)
        elif isinstance(value, bool):
            self._sheet.write_boolean(self._next, column, value)
        elif isinstance(value, date) and value.year < FIRST_YEAR:
            self._text(column, value.isoformat())
        elif isinstance(value, datetime):
            moment = value.astimezone(UTC).replace(tzinfo=None)
            self._sheet.write_datetime(self._next, column, moment, self._formats[column])
        elif isinstance(value, date):
            self._sheet.write_datetime(self._next, column, value, self._formats[column])
        elif abs(value) <= SURE_DIGITS:
            self._sheet.write_number(self._next, column, value)
        else:  # a sheet rounds such integers, and knows no infinity
            self._text(column, str(value))

    def _text(self, column: int, text: str) -> None:
        if len(text) > MAX_CHARACTERS // 2 and len(text.encode("utf-16-le")) // 2 > MAX_CHARACTERS:
            raise DataError(
                f"{self._table}, row {self._next}, column {self._columns[column]}: {len(text)} "
                f"characters, and a cell of an Excel sheet holds {MAX_CHARACTERS}; {INSTEAD}"
            )
        if broken := _NOT_IN_XML.search(text):
            raise DataError(
                f"{self._table}, row {self._next}, column {self._columns[column]}: "
                f"U+{ord(broken[0]):04X}, which no Excel file can hold; {INSTEAD}"
            )
        self._sheet.write_string(self._next, column, text)
