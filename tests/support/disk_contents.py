"""Looks for words in everything that a folder holds, each file read as its own format."""

import io
import sqlite3
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def places_of(words: set[str], *folders: Path) -> list[str]:
    """Where any of the words stands, in small or capital letters: file and word."""
    return sorted(
        f"{path.relative_to(folder)}: {word}"
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file()
        for word in words
        if any(word in content.lower() for content in contents(path))
    )


def contents(path: Path) -> Iterator[str]:
    """The bytes of a file, and what its format packs, as text."""
    data = path.read_bytes()
    yield data.decode("utf-8", "replace")
    if data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield from _member(name, archive.read(name))
    elif data.startswith(b"\x93NUMPY"):
        yield from _member(path.name, data)
    elif data.startswith(b"PAR1"):
        yield str(pq.read_table(path).to_pylist())
    elif data.startswith(b"SQLite format 3"):
        yield from _rows(path)
    elif path.suffix == ".arrow":
        with pa.memory_map(str(path)) as file:
            yield str(pa.ipc.open_stream(file).read_all().to_pylist())


def _member(name: str, data: bytes) -> Iterator[str]:
    yield data.decode("utf-8", "replace")
    if name.endswith(".npy"):
        values: Any = np.load(io.BytesIO(data), allow_pickle=False)
        if values.dtype.kind in "US":
            yield " ".join(values.ravel().astype(str).tolist())


def _rows(path: Path) -> Iterator[str]:
    """Every row, as a reader of the database sees it: with what its log holds."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (table,) in tables:
        yield str(connection.execute(f'SELECT * FROM "{table}"').fetchall())
    connection.close()
