"""Parquet in the layout of the Hugging Face Hub: `datasets.load_dataset(FOLDER)` reads it."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from biasloop.plugins.exporters.parquet import Parquet
from biasloop.ports import Columns

DATA = "data"


class Datasets(Parquet):
    """Writes data/NAME.parquet. The README.md of the export lists each table as a configuration."""

    def write(
        self, table: str, columns: Columns, batches: Iterable[pa.RecordBatch], folder: Path
    ) -> Path:
        """See Parquet."""
        (folder / DATA).mkdir(exist_ok=True)
        return super().write(table, columns, batches, folder / DATA)
