"""JSON lines in UTF-8: one object a row, lists as lists, moments in ISO 8601."""

import json
import math
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from biasloop.ports import Columns

ROWS = 2_000
"""Rows as Python objects at a time."""


class JsonLines:
    """Writes NAME.jsonl."""

    suffix = ".jsonl"

    def write(
        self, table: str, columns: Columns, batches: Iterable[pa.RecordBatch], folder: Path
    ) -> Path:
        """Writes the rows; every object has all columns."""
        path = folder / f"{table}{self.suffix}"
        with path.open("w", encoding="utf-8", newline="\n") as file:
            for batch in batches:
                for begin in range(0, len(batch), ROWS):
                    rows = batch.slice(begin, ROWS).to_pylist()
                    file.writelines(f"{_line(row)}\n" for row in rows)
        return path


def _iso(value: date) -> str:
    return value.isoformat()


def _line(row: dict[str, Any]) -> str:
    """JSON has no NaN and no infinity: they become null."""
    try:
        return json.dumps(row, ensure_ascii=False, allow_nan=False, default=_iso)
    except ValueError:
        finite = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in row.items()
        }
        return json.dumps(finite, ensure_ascii=False, allow_nan=False, default=_iso)
