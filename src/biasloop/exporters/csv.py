"""CSV in UTF-8, for spreadsheets: lists joined by "|", formulas defused."""

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A cell that begins so may be run by a spreadsheet (OWASP, "CSV Injection")."""


class Csv:
    """Writes NAME.csv."""

    suffix = ".csv"

    def write(self, table: str, rows: Iterable[Mapping[str, Any]], folder: Path) -> Path:
        """Writes the rows; all have the keys of the first."""
        path = folder / f"{table}{self.suffix}"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer: csv.DictWriter[str] | None = None
            for row in rows:
                if writer is None:
                    writer = csv.DictWriter(file, list(row))
                    writer.writeheader()
                writer.writerow({key: cell(value) for key, value in row.items()})
        return path


def cell(value: Any) -> Any:
    """A value as a spreadsheet may safely show it; text that looks like a formula gets a '."""
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        value = "|".join(str(v) for v in value)
    elif isinstance(value, dict):
        value = json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value
