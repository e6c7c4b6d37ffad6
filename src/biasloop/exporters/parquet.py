"""Parquet, written in pieces; lists stay lists, mappings become JSON text."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

PIECE = 10_000
"""Rows held at a time."""


class Parquet:
    """Writes NAME.parquet."""

    suffix = ".parquet"

    def write(self, table: str, rows: Iterable[Mapping[str, Any]], folder: Path) -> Path:
        """Writes the rows. A column's type follows from the first piece that has values in it,
        text where all are None."""
        path = folder / f"{table}{self.suffix}"
        schema: Any = None
        writer: Any = None
        for piece in _pieces(rows):
            batch = pa.RecordBatch.from_pylist(piece, schema=schema)
            if writer is None:
                schema = pa.schema(
                    [
                        f if f.type != pa.null() else pa.field(f.name, pa.string())
                        for f in batch.schema
                    ]
                )
                writer = pq.ParquetWriter(path, schema)
            writer.write_batch(batch.cast(schema))
        if writer is None:
            pq.write_table(pa.table({}), path)
        else:
            writer.close()
        return path


def _pieces(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    piece: list[dict[str, Any]] = []
    for row in rows:
        piece.append({key: _plain(value) for key, value in row.items()})
        if len(piece) == PIECE:
            yield piece
            piece = []
    if piece:
        yield piece


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return list(value) if isinstance(value, tuple) else value
