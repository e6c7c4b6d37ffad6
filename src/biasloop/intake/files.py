"""Reads the records of JSONL, CSV, Parquet and text files, folders, and saved datasets.

- JSONL, CSV (with commas, semicolons or tabs) and text files must be UTF-8.
- A text file is one ad, whose id is the name of the file.
- A folder that the library `datasets` saved to disk yields the rows of all its splits; the numbers
  of a ClassLabel are replaced by its names.
- Any other folder yields the tables in it and its subfolders (Parquet, JSONL, CSV); if there are
  none, its text files.

Records are streamed: at most BATCH_ROWS rows, or one text file, are in memory at a time.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

from biasloop.errors import DataError
from biasloop.intake.jsonl import parse_object

MAX_LINE = 2_000_000
"""Maximum number of characters of a line or a text file."""
BATCH_ROWS = 500
"""Number of rows that are read from a table at a time, and between two reports of progress."""

DELIMITERS = {".csv": ",;\t", ".tsv": "\t"}
LINES = (".jsonl", ".ndjson")
PARQUET = ".parquet"
TEXT = ".txt"
TABLES = (*LINES, *DELIMITERS, PARQUET)
SAVED_DATASET_FILES = ("state.json", "dataset_dict.json")
"""A folder with one of these files was saved by the library `datasets`."""

Progress = Callable[[int], None]
"""Called now and then with the number of bytes read so far."""


class BadRow(Exception):
    """The reason why a row is rejected. It never reaches the caller of an import."""


Record = tuple[int, str, Mapping[str, Any] | BadRow]
"""The number of a line or row, its text for an excerpt, and its values by column, or the reason why
it is rejected."""


def records(path: Path, needed: set[str], progress: Progress) -> Iterator[Record]:
    """Streams the records of a file or folder. `needed` are the columns that a table must have.

    Raises DataError if the input cannot be read, is of an unsupported kind, or lacks a column.
    """
    try:
        if path.is_dir() and any((path / name).exists() for name in SAVED_DATASET_FILES):
            yield from _saved_dataset(path, needed, progress)
        elif path.is_dir():
            yield from _folder(path, needed, progress)
        else:
            yield from _file(path, needed, progress)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"cannot read {path}: {reason}; check path and permissions") from error


def size(path: Path) -> int | None:
    """The size in bytes of a file, or of all files in a folder and its subfolders; None if the path
    does not exist."""
    if not path.exists():
        return None
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _file(path: Path, needed: set[str], progress: Progress) -> Iterator[Record]:
    suffix = path.suffix.lower()
    if suffix == PARQUET:
        yield from _parquet(path, needed, progress)
        return
    if suffix not in (*TABLES, TEXT):
        supported = ", ".join((*TABLES, TEXT))
        raise DataError(f"cannot read {path}: its suffix must be one of: {supported}")
    newline = "" if suffix in DELIMITERS else "\n"
    # Bytes that are not UTF-8 become lone surrogates, so that only their own row is rejected.
    with (
        path.open("rb") as raw,
        TextIOWrapper(raw, "utf-8-sig", errors="surrogateescape", newline=newline) as file,
    ):
        if suffix in DELIMITERS:
            file_records = _csv_records(file, path, needed)
        elif suffix in LINES:
            file_records = _json_records(file)
        else:
            file_records = _text_record(file, path)
        for count, record in enumerate(file_records):
            if count % BATCH_ROWS == 0:
                progress(raw.tell())
            yield record
        progress(raw.tell())


def _folder(path: Path, needed: set[str], progress: Progress) -> Iterator[Record]:
    files = sorted(file for file in path.rglob("*") if file.is_file())
    chosen = [file for file in files if file.suffix.lower() in TABLES] or [
        file for file in files if file.suffix.lower() == TEXT
    ]
    if not chosen:
        raise DataError(
            f"the folder {path} holds no file to import; supported are saved datasets and "
            f"{', '.join((*TABLES, TEXT))}"
        )
    bytes_before = 0
    for file in chosen:
        name = file.relative_to(path)
        file_progress = partial(_report_with_offset, bytes_before, progress)
        for line, start, record in _file(file, needed, file_progress):
            bad = isinstance(record, BadRow)
            yield line, start, BadRow(f"{name}: {record}") if bad else record
        bytes_before += file.stat().st_size


def _report_with_offset(offset: int, progress: Progress, bytes_read: int) -> None:
    progress(offset + bytes_read)


def _lines(file: TextIO) -> Iterator[str]:
    """Lines with their line ends; longer ones are cut to MAX_LINE characters."""
    while line := file.readline(MAX_LINE):
        rest = line
        while len(rest) == MAX_LINE and not rest.endswith("\n"):
            rest = file.readline(MAX_LINE)
        yield line


def _text_record(file: TextIO, path: Path) -> Iterator[Record]:
    text = file.read(MAX_LINE)
    yield 1, text, {"id": path.stem, "text": text}


def _json_records(file: TextIO) -> Iterator[Record]:
    for number, line in enumerate(_lines(file), start=1):
        if line.strip():
            yield number, line, _json_object(line.strip())


def _json_object(line: str) -> Mapping[str, Any] | BadRow:
    if len(line) >= MAX_LINE:
        return BadRow(f"the line has more than {MAX_LINE} characters")
    try:
        return parse_object(line)
    except ValueError as error:
        return BadRow(str(error))


def _csv_records(file: TextIO, path: Path, needed: set[str]) -> Iterator[Record]:
    lines = _lines(file)
    first = next(lines, "")
    delimiter = max(DELIMITERS[path.suffix.lower()], key=first.count)
    reader = csv.reader(chain([first], lines), delimiter=delimiter)
    header = next(reader, [])
    _check_columns(path, header, needed)
    while True:
        line = reader.line_num + 1
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, "", BadRow(f"broken CSV: {error}")
            continue
        if len(values) > len(header):
            reason = f"the row has {len(values)} columns, the header only {len(header)}"
            yield line, delimiter.join(values), BadRow(reason)
        elif values:
            # In a short row the last columns count as empty.
            yield line, delimiter.join(values), dict(zip(header, values, strict=False))


def _parquet(path: Path, needed: set[str], progress: Progress) -> Iterator[Record]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            _check_columns(path, file.schema_arrow.names, needed)
            batches = (batch.to_pylist() for batch in file.iter_batches(BATCH_ROWS))
            yield from _table_records(
                batches, file.metadata.num_rows, path.stat().st_size, progress
            )
    except pa.ArrowException as error:
        raise DataError(f"{path} is not a complete Parquet file: {error}") from error


def _saved_dataset(path: Path, needed: set[str], progress: Progress) -> Iterator[Record]:
    from datasets import Dataset, DatasetDict, load_from_disk

    try:
        loaded = load_from_disk(str(path))
    except (LookupError, ValueError, FileNotFoundError) as error:
        raise DataError(f"{path} is not a complete saved dataset: {error}") from error
    splits: list[Dataset] = list(loaded.values()) if isinstance(loaded, DatasetDict) else [loaded]
    total_rows = sum(map(len, splits))
    for split in splits:
        _check_columns(path, split.column_names, needed)
    batches = chain.from_iterable(_batches_with_class_names(split) for split in splits)
    yield from _table_records(batches, total_rows, size(path) or 0, progress)


def _batches_with_class_names(split: Any) -> Iterator[list[dict[str, Any]]]:
    """The rows of a split, in batches; numbers of class labels are replaced by their names."""
    to_names = {
        name: feature.int2str
        for name, feature in split.features.items()
        if hasattr(feature, "int2str")
    }
    for batch in split.iter(BATCH_ROWS):
        rows = [
            dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)
        ]
        for row in rows:
            for name, to_name in to_names.items():
                # In datasets, -1 means "no label".
                row[name] = None if row[name] in (None, -1) else to_name(row[name])
        yield rows


def _table_records(
    batches: Iterable[list[dict[str, Any]]],
    total_rows: int,
    total_bytes: int,
    progress: Progress,
) -> Iterator[Record]:
    """Numbers the rows from 1. Progress in bytes is estimated from the number of rows."""
    number = 0
    for batch in batches:
        progress(total_bytes * number // max(1, total_rows))
        for number, row in enumerate(batch, number + 1):  # noqa: B020 - continues the count
            yield number, str(row.get("text") or ""), row
    progress(total_bytes)


def _check_columns(path: Path, columns: Iterable[str], needed: set[str]) -> None:
    if missing := needed - set(columns):
        raise DataError(
            f"{path} has no column {', '.join(sorted(missing))}; it has: {', '.join(columns)}. "
            "Map its columns to fields, e.g. --column text=NAME"
        )
