"""CSV for spreadsheets: UTF-8 with a byte order mark for Excel, lists joined by "|".

Text that a spreadsheet would run as a formula is made harmless.
"""

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from biasloop.domain.cells import defuse_formula, join_labels
from biasloop.ports import Columns


class Csv:
    """Writes NAME.csv."""

    suffix = ".csv"

    def write(
        self, table: str, columns: Columns, rows: Iterable[Mapping[str, Any]], folder: Path
    ) -> Path:
        """Writes the rows below a line of column names."""
        path = folder / f"{table}{self.suffix}"
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows([cell(row[name]) for name in columns] for row in rows)
        return path


def cell(value: Any) -> Any:
    """A value that is safe in a spreadsheet; text that looks like a formula gets a leading '."""
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        value = join_labels(map(str, value))
    elif isinstance(value, dict):
        value = json.dumps(value, ensure_ascii=False)
    return defuse_formula(value) if isinstance(value, str) else value
