"""CSV for spreadsheets: UTF-8 with a byte order mark for Excel, lists joined by "|".

Text that a spreadsheet would run as a formula is made harmless.
"""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from pyarrow import csv as arrow_csv

from biasloop.domain.cells import defuse_formula, join_labels
from biasloop.plugins.exporters.tables import for_spreadsheet
from biasloop.plugins.registry import Options
from biasloop.ports import Columns

END = "\r\n"


def cell(value: Any) -> Any:
    """A value that is safe in a spreadsheet; text that looks like a formula gets a leading '."""
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        value = join_labels(map(str, value))
    return defuse_formula(value) if isinstance(value, str) else value


class CsvOptions(Options):
    """`separator` between cells; Excel in Italian expects ";"."""

    separator: Literal[",", ";", "\t", "|"] = ","


class Csv:
    """Writes NAME.csv."""

    suffix = ".csv"

    def __init__(self, options: CsvOptions) -> None:
        self._separator = options.separator

    def write(
        self, table: str, columns: Columns, batches: Iterable[pa.RecordBatch], folder: Path
    ) -> Path:
        """Writes the rows below a line of column names; all text is quoted."""
        path = folder / f"{table}{self.suffix}"
        options = arrow_csv.WriteOptions(
            include_header=False, delimiter=self._separator, eol=END, quoting_style="needed"
        )
        with path.open("wb") as file:
            file.write(self._header(columns).encode("utf-8-sig"))
            for batch in batches:
                arrow_csv.write_csv(for_spreadsheet(batch), file, options)
        return path

    def _header(self, columns: Columns) -> str:
        line = io.StringIO()
        writer = csv.writer(line, delimiter=self._separator, lineterminator=END)
        writer.writerow(map(defuse_formula, columns))
        return line.getvalue()
