"""Parquet, written in batches; lists stay lists, mappings become JSON text."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from biasloop.ports import Columns

PIECE = 10_000
"""Rows in memory at a time."""

TYPES = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    datetime: pa.timestamp("us", "UTC"),
    list: pa.list_(pa.string()),
    dict: pa.string(),
}


class Parquet:
    """Writes NAME.parquet."""

    suffix = ".parquet"

    def write(
        self, table: str, columns: Columns, rows: Iterable[Mapping[str, Any]], folder: Path
    ) -> Path:
        """Writes the rows; the schema depends on `columns` alone."""
        path = folder / f"{table}{self.suffix}"
        schema = pa.schema([(name, TYPES[kind]) for name, kind in columns.items()])
        stream = iter(rows)
        with pq.ParquetWriter(path, schema) as writer:
            while batch := [_plain(row) for row in islice(stream, PIECE)]:
                writer.write_batch(pa.RecordBatch.from_pylist(batch, schema))
        return path


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value
        for name, value in row.items()
    }
