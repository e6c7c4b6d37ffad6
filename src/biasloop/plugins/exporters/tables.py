"""What all exporters share: the Arrow types of columns, and how values look in text formats."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biasloop.domain.cells import FORMULA_PATTERN
from biasloop.ports import Columns

TYPES = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    datetime: pa.timestamp("us", "UTC"),
    date: pa.date32(),
    list: pa.list_(pa.string()),
    dict: pa.string(),
}
"""By kind of column. Mappings are JSON text."""


def schema_of(columns: Columns) -> pa.Schema:
    """The schema of a table; it depends on its columns alone."""
    return pa.schema([(name, TYPES[kind]) for name, kind in columns.items()])


def in_groups(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """The same rows in tables of at least that many rows each, but for the last one."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(len(part) for part in waiting) >= rows:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def joined_lists(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with each list in one cell, joined by "|"."""
    return _mapped(batch, lambda column: _joined(column) if _is_list(column) else column)


def for_spreadsheet(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with lists joined, and a ' before text that a spreadsheet would run."""
    return _mapped(
        joined_lists(batch),
        lambda column: _defused(column) if pa.types.is_string(column.type) else column,
    )


def _mapped(batch: pa.RecordBatch, change: Callable[[pa.Array], pa.Array]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(list(map(change, batch.columns)), names=batch.schema.names)


def _is_list(column: pa.Array) -> bool:
    return bool(pa.types.is_list(column.type))


def _defused(column: pa.Array) -> pa.Array:
    dangerous = pc.match_substring_regex(column, FORMULA_PATTERN)
    if not pc.any(dangerous).as_py():
        return column
    return pc.if_else(dangerous, pc.binary_join_element_wise("'", column, ""), column)


def _joined(lists: pa.ListArray) -> pa.Array:
    """One cell for each list, as `join_labels` writes it."""
    ends = np.cumsum(pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False))
    offsets = pa.array(np.concatenate([[0], ends]), pa.int32())
    escaped = pc.replace_substring_regex(pc.list_flatten(lists), r"([\\|])", r"\\\1")
    cells = pc.binary_join(pa.ListArray.from_arrays(offsets, escaped, mask=lists.is_null()), "|")
    bracketed = pc.starts_with(cells, "[")
    return pc.if_else(bracketed, pc.binary_join_element_wise("\\", cells, ""), cells)
