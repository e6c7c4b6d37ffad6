"""Rows of Python values as Arrow batches, for what is in no table yet."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import pyarrow as pa

from biasloop.errors import DataError

Row = dict[str, Any]
ROWS_AT_A_TIME = 5_000


def in_batches(
    table: str, key: str, rows: Iterable[Row], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """The rows, ROWS_AT_A_TIME in a batch; see `to_batch`."""
    stream = iter(rows)
    while part := list(islice(stream, ROWS_AT_A_TIME)):
        yield to_batch(table, key, part, schema)


def to_batch(table: str, key: str, rows: Sequence[Row], schema: pa.Schema) -> pa.RecordBatch:
    """The rows; a missing value is empty. Raises DataError, which names the row by its column
    `key`, for half a surrogate pair: UTF-8, and so every format, cannot hold it."""
    try:
        columns = {name: [row.get(name) for row in rows] for name in schema.names}
        return pa.RecordBatch.from_pydict(columns, schema)
    except UnicodeEncodeError:
        row, name = next(
            (row, name) for row in rows for name in schema.names if _is_broken(row.get(name))
        )
        raise DataError(
            f"{table}: {name} of {row[key]!r} contains half a surrogate pair, which no file in "
            "UTF-8 can hold; correct it where it was written (in Label Studio, or in the file "
            "that was imported), then export again"
        ) from None


def json_text(value: Mapping[str, Any]) -> str:
    """JSON, in ASCII where it contains half a surrogate pair."""
    text = json.dumps(value, ensure_ascii=False)
    return json.dumps(value) if _is_broken(text) else text


def _is_broken(value: object) -> bool:
    if isinstance(value, list):
        return any(map(_is_broken, value))
    try:
        return isinstance(value, str) and value.encode().decode() != value
    except UnicodeEncodeError:
        return True
