"""The tables of an export as rows of Python values."""

import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from biasloop.reports.export.export import write_export
from biasloop.reports.export.record import Request
from biasloop.service.service import Service


def exported(service: Service, table: str, **request: Any) -> list[dict[str, Any]]:
    """The rows of a table of an export of this workspace."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "export"
        write_export(service, Request(**request), target, force=False, progress=lambda _: None)
        rows: list[dict[str, Any]] = pq.read_table(target / f"{table}.parquet").to_pylist()
    return rows
