"""Records of tables that keep types: Parquet, Excel, folders saved by the library `datasets`."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from biasloop.errors import DataError
from biasloop.intake.record import BATCH_ROWS, BadRow, Reading, Record

_DAMAGE = (LookupError, ValueError, TypeError, AttributeError, OverflowError)
"""What readers of other packages raise at a damaged file, besides their own errors."""

MAX_SHEET_ROWS = 1_048_576
"""Microsoft, "Excel specifications and limits"."""
MAX_INFLATION, INFLATED_BYTES = 100, 50_000_000
"""A part of a workbook may be unpacked to this many times its size (as in Apache POI's
`ZipSecureFile`), or to this many bytes."""


class Unreadable:
    """The value of a cell that cannot be read, e.g. a date after the year 9999."""

    def __init__(self, reason: object) -> None:
        self.reason = str(reason)


def parquet_records(path: Path, reading: Reading) -> Iterator[Record]:
    """The rows of a Parquet file. Raises DataError if it is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            reading.check_columns(path, file.schema_arrow.names)
            named = _class_names(file.schema_arrow)
            batches = (map(named, _rows(batch)) for batch in file.iter_batches(BATCH_ROWS))
            yield from _numbered(batches, file.metadata.num_rows, path.stat().st_size, reading)
    except (pa.ArrowException, *_DAMAGE) as error:
        raise DataError(f"{path} is not a complete Parquet file: {_line(error)}") from error


def dataset_records(path: Path, size: int, reading: Reading) -> Iterator[Record]:
    """The rows of all splits of a saved dataset. Raises DataError if it is damaged."""
    import pyarrow as pa
    from datasets import Dataset, DatasetDict, load_from_disk

    try:
        loaded = load_from_disk(str(path))
        splits: list[Dataset] = (
            list(loaded.values()) if isinstance(loaded, DatasetDict) else [loaded]
        )
        for split in splits:
            reading.check_columns(path, split.column_names)
        batches = chain.from_iterable(_dataset_batches(split) for split in splits)
        yield from _numbered(batches, sum(map(len, splits)), size, reading)
    except (pa.ArrowException, FileNotFoundError, *_DAMAGE) as error:
        raise DataError(f"{path} is not a complete saved dataset: {_line(error)}") from error


def excel_records(path: Path, reading: Reading) -> Iterator[Record]:
    """The rows of the first sheet of a workbook, numbered as in Excel. Raises DataError if it is
    damaged, or if openpyxl is not installed."""
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise DataError(
            f"cannot read {path}: Excel files need openpyxl (pip install 'biasloop[excel]'); or "
            'save it as "CSV UTF-8"'
        ) from None
    from zipfile import BadZipFile

    try:
        _check_inflation(path)
        book = load_workbook(path, read_only=True, data_only=True)
        for name in book.sheetnames[1:]:
            reading.unread(f"{path.name}, sheet {name}", "only the first sheet is read")
        rows = book.worksheets[0].iter_rows(values_only=True)
        header = ["" if cell is None else str(cell).strip() for cell in next(rows, ())]
        reading.check_columns(path, header)
        for number, cells in enumerate(rows, start=2):
            if number > MAX_SHEET_ROWS:
                raise ValueError(f"a row after number {MAX_SHEET_ROWS}, which no sheet has")
            if any(cell is not None for cell in cells):
                row = dict(zip(header, cells, strict=False))
                yield number, _excerpt(row), row
        reading.progress(path.stat().st_size)
        book.close()
    except (BadZipFile, *_DAMAGE) as error:
        raise DataError(f"{path} is not a complete Excel file: {_line(error)}") from error


def _check_inflation(path: Path) -> None:
    """Raises ValueError for a part of a workbook that is tiny until it is unpacked, into memory."""
    from zipfile import ZipFile

    with ZipFile(path) as archive:
        for part in archive.infolist():
            if part.file_size > max(INFLATED_BYTES, MAX_INFLATION * part.compress_size):
                raise ValueError(
                    f"{part.filename} would be unpacked to {part.file_size} bytes from "
                    f"{part.compress_size}; if it is meant so, save it as CSV"
                )


def _numbered(
    batches: Iterable[Iterable[dict[str, Any] | BadRow]],
    total_rows: int,
    total_bytes: int,
    reading: Reading,
) -> Iterator[Record]:
    """Numbers the rows from 1. Progress in bytes is estimated from the number of rows."""
    number = 0
    for batch in batches:
        reading.progress(total_bytes * number // max(1, total_rows))
        for row in batch:
            number += 1
            yield number, "" if isinstance(row, BadRow) else _excerpt(row), row
    reading.progress(total_bytes)


def _excerpt(row: dict[str, Any]) -> str:
    text = row.get("text")
    return text if isinstance(text, str) else ""


def _rows(batch: Any) -> list[dict[str, Any]]:
    """The rows of an Arrow batch; a cell that cannot be read costs itself."""
    try:
        rows: list[dict[str, Any]] = batch.to_pylist()
    except (ValueError, OverflowError):
        columns = [[_cell(value) for value in column] for column in batch.columns]
        rows = [
            dict(zip(batch.schema.names, values, strict=True))
            for values in zip(*columns, strict=True)
        ]
    return rows


def _cell(value: Any) -> Any:
    try:
        return value.as_py()
    except (ValueError, OverflowError) as error:
        return Unreadable(error)


def _class_names(schema: Any) -> Callable[[dict[str, Any]], dict[str, Any] | BadRow]:
    """Replaces the class numbers in a row of a Parquet file from the Hugging Face hub, which says
    in its schema what they mean."""
    if b"huggingface" not in (schema.metadata or {}):
        return lambda row: row
    from datasets import Features

    features = Features.from_arrow_schema(schema)
    return lambda row: _with_class_names(features, row)


def _dataset_batches(split: Any) -> Iterator[Iterator[dict[str, Any] | BadRow]]:
    for batch in split.with_format("arrow").iter(BATCH_ROWS):
        yield (
            _with_class_names(split.features, row)
            for part in batch.to_batches()
            for row in _rows(part)
        )


def _with_class_names(features: Any, row: dict[str, Any]) -> dict[str, Any] | BadRow:
    try:
        return {name: _named(features.get(name), value) for name, value in row.items()}
    except ValueError as error:
        return BadRow(f"the number of a class that the data set does not name: {error}")


def _named(feature: Any, value: Any) -> Any:
    """The value with the numbers of classes replaced by their names, also within lists and
    structures. The number -1 means "no label"."""
    if value is None or isinstance(value, Unreadable):
        return value
    if hasattr(feature, "int2str"):
        return None if value == -1 else feature.int2str(value)
    if isinstance(value, list) and hasattr(feature, "feature"):
        return [_named(feature.feature, part) for part in value]
    if isinstance(value, dict) and isinstance(feature, dict):
        return {name: _named(feature.get(name), part) for name, part in value.items()}
    return value


def _line(error: BaseException) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split())[:300] or type(error).__name__
