"""Reads the records of files and folders of all supported formats.

- Text must be UTF-8 or UTF-16, or its encoding must be named. Text files of all kinds may be packed
  with gzip (`ads.csv.gz`).
- A text file is one ad, whose id is the path of the file within the folder, without suffix.
- A folder that the library `datasets` saved to disk yields the rows of all its splits; the numbers
  of a ClassLabel are replaced by its names.
- Any other folder yields the tables in it and its subfolders; if there are none, its text files.
  What is not read is named.

Records are streamed: at most BATCH_ROWS rows, or one text file, are in memory at a time.
"""

import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, TextIO

from biasloop.errors import DataError
from biasloop.intake.csv_records import csv_records
from biasloop.intake.decoding import open_text, undecodable
from biasloop.intake.json_records import json_records
from biasloop.intake.record import BATCH_ROWS, MAX_LINE, AdFile, BadRow, Reading, Record
from biasloop.intake.tables import dataset_records, excel_records, parquet_records

DELIMITERS = {".csv": ",;\t", ".tsv": "\t"}
LINES = (".jsonl", ".ndjson", ".json")
WITH_TYPES = {".parquet": parquet_records, ".xlsx": excel_records}
TEXT = ".txt"
GZIP = ".gz"
TABLES = (*LINES, *DELIMITERS, *WITH_TYPES)
SAVED_DATASET_FILES = ("state.json", "dataset_dict.json")
"""A folder with one of these files was saved by the library `datasets`."""


def records(path: Path, reading: Reading) -> Iterator[Record]:
    """Streams the records of a file or folder.

    Raises DataError if nothing of the input can be read, because of its kind, a missing column or
    damage. In a folder this costs only the file; `reading.unread` is told.
    """
    try:
        if path.is_dir() and any((path / name).exists() for name in SAVED_DATASET_FILES):
            yield from dataset_records(path, size(path) or 0, reading)
        elif path.is_dir():
            yield from _folder(path, reading)
        else:
            yield from _file(path, path.name, reading)
    except OSError as error:
        raise _unreadable(path, error) from error


def stream_records(raw: IO[bytes], name: str, reading: Reading) -> Iterator[Record]:
    """Streams the records of JSON that has no file, e.g. of standard input. Raises DataError."""
    try:
        with open_text(raw, reading.encoding, "\n") as text:
            yield from _checked(json_records(text, pretty=False), reading)
    except (EOFError, zlib.error, UnicodeError, OSError) as error:
        raise _unreadable(Path(name), error) from error


def size(path: Path) -> int | None:
    """The size in bytes of a file, or of all files in a folder and its subfolders; None if the path
    does not exist."""
    if not path.exists():
        return None
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def format_suffix(path: Path) -> str:
    """The suffix that says the format; that of the packed file if it is packed."""
    suffix = path.suffix.lower()
    return path.with_suffix("").suffix.lower() if suffix == GZIP else suffix


def _file(path: Path, name: str, reading: Reading) -> Iterator[Record]:
    """The records of a file. `name` is its path within the folder that is read."""
    suffix = format_suffix(path)
    if path.exists() and not path.is_file():
        raise DataError(f"cannot read {path}: it is not an ordinary file; copy its content to one")
    if path.suffix.lower() in WITH_TYPES:
        yield from WITH_TYPES[suffix](path, reading)
        return
    if suffix not in (*LINES, *DELIMITERS, TEXT):
        supported = ", ".join((*TABLES, TEXT))
        raise DataError(f"cannot read {path}: its suffix must be one of: {supported}")
    newline = "" if suffix in DELIMITERS else "\n"
    try:
        with path.open("rb") as raw, open_text(raw, reading.encoding, newline) as text:
            if suffix in DELIMITERS:
                file_records = csv_records(text, path, DELIMITERS[suffix], reading)
            elif suffix in LINES:
                file_records = json_records(text, pretty=suffix == ".json")
            else:
                file_records = _text_record(text, path, name)
            for count, record in enumerate(_checked(file_records, reading)):
                if count % BATCH_ROWS == 0:
                    reading.progress(raw.tell())
                yield record
            reading.progress(raw.tell())
    except (EOFError, zlib.error, UnicodeError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> DataError:
    reason = getattr(error, "strerror", None) or str(error)
    advice = "check path and permissions" if isinstance(error, OSError) else "is it complete?"
    return DataError(f"cannot read {path}: {reason}; {advice}")


def _checked(file_records: Iterator[Record], reading: Reading) -> Iterator[Record]:
    """The records; one with bytes that could not be decoded is rejected."""
    for line, start, record in file_records:
        reason = undecodable(start, reading.encoding)
        yield line, start, BadRow(reason) if reason else record


def _folder(path: Path, reading: Reading) -> Iterator[Record]:
    files = sorted(file for file in path.rglob("*") if not file.is_dir())
    tables = [file for file in files if format_suffix(file) in TABLES]
    chosen = tables or [file for file in files if format_suffix(file) == TEXT]
    supported = ", ".join((*TABLES, TEXT))
    if not chosen:
        raise DataError(
            f"the folder {path} holds no file to import; supported are saved datasets and "
            f"{supported}"
        )
    for file in files:
        if file not in chosen:
            text = format_suffix(file) == TEXT
            reason = "there are tables in the folder" if text else f"supported are {supported}"
            reading.unread(str(file.relative_to(path)), reason)
    bytes_before = 0
    failed: list[DataError] = []
    for file in chosen:
        name = file.relative_to(path).as_posix()
        file_reading = replace(
            reading, progress=partial(_report_with_offset, bytes_before, reading)
        )
        try:
            for line, start, record in _file(file, name, file_reading):
                bad = isinstance(record, BadRow)
                yield line, start, BadRow(f"{name}: {record}") if bad else record
            bytes_before += file.stat().st_size
        except (DataError, OSError) as error:
            failed.append(error if isinstance(error, DataError) else _unreadable(file, error))
            reading.unread(name, str(failed[-1]))
    if len(failed) == len(chosen):
        raise DataError(f"nothing in {path} can be read: {failed[0]}")


def _report_with_offset(offset: int, reading: Reading, bytes_read: int) -> None:
    reading.progress(offset + bytes_read)


def _text_record(text: TextIO, path: Path, name: str) -> Iterator[Record]:
    content = text.read(MAX_LINE + 1)
    file = Path(name)
    plain = file.with_suffix("") if file.suffix.lower() == GZIP else file
    row = AdFile(id=plain.with_suffix("").as_posix(), text=content)
    row.former_id = plain.stem
    folder = path.resolve().parents[len(file.parts) - 1]
    row.spare_id = f"{folder.name}/{row['id']}"
    too_long = BadRow(f"the file has more than {MAX_LINE} characters")
    yield 1, content, too_long if len(content) > MAX_LINE else row
