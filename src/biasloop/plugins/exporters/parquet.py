"""Parquet, written in groups of rows; lists stay lists, mappings are JSON text."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from biasloop.plugins.exporters.tables import in_groups, schema_of
from biasloop.ports import Columns

PIECE = 50_000
"""Rows in memory at a time, at least."""


class Parquet:
    """Writes NAME.parquet."""

    suffix = ".parquet"

    def write(
        self, table: str, columns: Columns, batches: Iterable[pa.RecordBatch], folder: Path
    ) -> Path:
        """Writes the rows; the schema depends on `columns` alone."""
        path = folder / f"{table}{self.suffix}"
        with pq.ParquetWriter(path, schema_of(columns)) as writer:
            for group in in_groups(batches, PIECE):
                writer.write_table(group)
        return path
