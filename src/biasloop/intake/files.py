"""Records of an input by its kind: JSONL, CSV, Parquet, plain text, a folder, a saved dataset.

- JSONL, CSV (by comma, semicolon or tab) and plain text are UTF-8.
- A text file is one ad, whose id is the file's name.
- A folder that `datasets` saved to disk gives the rows of all its splits; numbers of a ClassLabel
  become its names.
- Any other folder gives the tables below it (Parquet, JSONL, CSV), or, where there are none, its
  text files.

Everything streams: what is held at once is BATCH rows, or one text file.
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
BATCH = 500
"""Rows between two reports of progress, and read from a table at a time."""

DELIMITERS = {".csv": ",;\t", ".tsv": "\t"}
LINES = (".jsonl", ".ndjson")
PARQUET = ".parquet"
TEXT = ".txt"
TABLES = (*LINES, *DELIMITERS, PARQUET)
SAVED = ("state.json", "dataset_dict.json")
"""What `datasets` leaves in a folder that it saved."""

Progress = Callable[[int], None]


class BadRow(Exception):
    """Why a row is rejected; never leaves the import."""


Record = tuple[int, str, Mapping[str, Any] | BadRow]
"""Line or row, how it begins, and the values by column or what is wrong."""


def records(path: Path, needed: set[str], progress: Progress) -> Iterator[Record]:
    """The records of a file or folder. `needed` are the columns that a table must have;
    `progress` is told the bytes read so far, now and then.

    Raises DataError when it cannot be read, is of no known kind, or lacks a column.
    """
    try:
        if path.is_dir() and any((path / name).exists() for name in SAVED):
            yield from _saved_dataset(path, needed, progress)
        elif path.is_dir():
            yield from _folder(path, needed, progress)
        else:
            yield from _file(path, needed, progress)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"cannot read {path}: {reason}; check path and rights") from error


def size(path: Path) -> int | None:
    """Bytes of a file or of all files below a folder; None when there is nothing."""
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
        known = ", ".join((*TABLES, TEXT))
        raise DataError(f"cannot tell what {path} is by its suffix; rename it to one of: {known}")
    newline = "" if suffix in DELIMITERS else "\n"
    # What is not UTF-8 becomes lone surrogates, so that it costs its row and no other.
    with (
        path.open("rb") as raw,
        TextIOWrapper(raw, "utf-8-sig", errors="surrogateescape", newline=newline) as file,
    ):
        if suffix in DELIMITERS:
            found = _csv_records(file, path, needed)
        elif suffix in LINES:
            found = _json_records(file)
        else:
            found = _text_record(file, path)
        for count, record in enumerate(found):
            if count % BATCH == 0:
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
            f"{path} is a folder without a file to import; known are saved datasets and "
            f"{', '.join((*TABLES, TEXT))}"
        )
    before = 0
    for file in chosen:
        name = file.relative_to(path)
        for line, start, record in _file(file, needed, partial(_beyond, before, progress)):
            bad = isinstance(record, BadRow)
            yield line, start, BadRow(f"{name}: {record}") if bad else record
        before += file.stat().st_size


def _beyond(before: int, progress: Progress, done: int) -> None:
    progress(before + done)


def _lines(file: TextIO) -> Iterator[str]:
    """Lines with their ends; of an endless one the first MAX_LINE characters."""
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
        return BadRow(f"a line of over {MAX_LINE} characters")
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
            excess = f"{len(values)} columns where the header has {len(header)}"
            yield line, delimiter.join(values), BadRow(excess)
        elif values:
            # A short row is taken as if its last columns were empty.
            yield line, delimiter.join(values), dict(zip(header, values, strict=False))


def _parquet(path: Path, needed: set[str], progress: Progress) -> Iterator[Record]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            _check_columns(path, file.schema_arrow.names, needed)
            batches = (batch.to_pylist() for batch in file.iter_batches(BATCH))
            yield from _table_records(
                batches, file.metadata.num_rows, path.stat().st_size, progress
            )
    except pa.ArrowException as error:
        raise DataError(f"{path} is no whole Parquet file: {error}") from error


def _saved_dataset(path: Path, needed: set[str], progress: Progress) -> Iterator[Record]:
    from datasets import Dataset, DatasetDict, load_from_disk

    try:
        found = load_from_disk(str(path))
    except (LookupError, ValueError, FileNotFoundError) as error:
        raise DataError(f"{path} is no whole saved dataset: {error}") from error
    splits: list[Dataset] = list(found.values()) if isinstance(found, DatasetDict) else [found]
    bytes_ = size(path) or 0
    rows = sum(map(len, splits))
    for split in splits:
        _check_columns(path, split.column_names, needed)
    batches = chain.from_iterable(_named_batches(split) for split in splits)
    yield from _table_records(batches, rows, bytes_, progress)


def _named_batches(split: Any) -> Iterator[list[dict[str, Any]]]:
    """The rows of a split, with the names of class labels in the place of their numbers."""
    classes = {
        name: feature.int2str
        for name, feature in split.features.items()
        if hasattr(feature, "int2str")
    }
    for batch in split.iter(BATCH):
        rows = [
            dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)
        ]
        for row in rows:
            for name, to_name in classes.items():
                # -1 is how datasets says "no label".
                row[name] = None if row[name] in (None, -1) else to_name(row[name])
        yield rows


def _table_records(
    batches: Iterable[list[dict[str, Any]]], rows: int, bytes_: int, progress: Progress
) -> Iterator[Record]:
    number = 0
    for batch in batches:
        progress(bytes_ * number // max(1, rows))
        for number, row in enumerate(batch, number + 1):  # noqa: B020 - goes on counting
            yield number, str(row.get("text") or ""), row
    progress(bytes_)


def _check_columns(path: Path, there: Iterable[str], needed: set[str]) -> None:
    if missing := needed - set(there):
        raise DataError(
            f"{path} has no column {', '.join(sorted(missing))}; it has: {', '.join(there)}. "
            "Say which column is which, as in --column text=NAME"
        )
