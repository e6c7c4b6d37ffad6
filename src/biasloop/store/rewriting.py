"""Rewrites shards of the pool in which rows change: their texts are erased, or the rows are emptied
for good. No row ever moves."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from biasloop.domain.batch import Rows
from biasloop.domain.item import Ad, Item, Origin
from biasloop.domain.split import Split
from biasloop.store.series import Series, dataset_features, to_table
from biasloop.store.shards import Shard, write_shard

REMOVED = "\0"
"""How the id of an emptied row begins: no id that can be imported holds this character."""

Change = Callable[[Any, Any, int], Any]
"""Makes a new table from (table, mask of the rows to change, number of the first row)."""


def rewrite_shards(
    folder: Path, series: Series, masks: Sequence[Any], change: Change
) -> tuple[Shard, ...]:
    """Applies a change to the masked rows; returns the shards of the series. Shards in which all
    masked rows are erased already are not rewritten."""
    import pyarrow.compute as pc

    shards = list(series.shards)
    for i, (table, mask) in enumerate(zip(series.tables, masks, strict=True)):
        if pc.any(pc.and_not(mask, table["erased"])).as_py():
            shard = replace(shards[i], version=shards[i].version + 1)
            changed = change(table, mask, shard.start)
            shards[i] = write_shard(folder, shard, changed, dataset_features(shard.series))
    return tuple(shards)


def blank_texts(*columns: str) -> Change:
    """A change that blanks columns of the rows, which count as erased from then on."""

    def change(table: Any, mask: Any, _: int) -> Any:
        import pyarrow as pa
        import pyarrow.compute as pc

        values = {name: table[name] for name in table.column_names}
        values |= {name: pc.if_else(mask, "", table[name]) for name in columns}
        values["erased"] = pc.or_(mask, table["erased"])
        return pa.Table.from_pydict(values, schema=table.schema)

    return change


def empty_rows(table: Any, mask: Any, first_row: int) -> Any:
    """A change that leaves nothing in the rows, not even the id, so that it can be added again.
    Rows that are erased stay as they are: what was taken down stays known."""
    import pyarrow as pa
    import pyarrow.compute as pc

    chosen = pc.and_not(mask, table["erased"]).to_numpy()
    name = "items" if "roots" in table.column_names else "ads"
    empty = to_table(
        name, [_empty_record(name, first_row + place) for place in np.flatnonzero(chosen)]
    )
    column = empty.column_names.index("erased")
    empty = empty.set_column(column, empty.field(column), pa.array([True] * len(empty)))
    places = np.where(chosen, len(table) + np.cumsum(chosen) - 1, np.arange(len(table)))
    return pa.concat_tables([table, empty.cast(table.schema)]).take(places)


def row_masks(series: Series, rows: Rows) -> list[Any]:
    """A mask for each table of a series, as a pyarrow array: which of its rows are among `rows`."""
    import pyarrow as pa

    mask = np.zeros(series.rows, dtype=np.bool_)
    mask[rows] = True
    return [
        pa.array(mask[start : start + table.num_rows])
        for start, table in zip(series.starts, series.tables, strict=True)
    ]


def descendant_mask(table: Any, ad_id: str) -> Any:
    """Mask of the items that have `ad_id` among their roots, as a pyarrow array."""
    import pyarrow as pa
    import pyarrow.compute as pc

    roots = table["roots"].combine_chunks()
    hits = pc.list_parent_indices(roots).filter(pc.equal(pc.list_flatten(roots), ad_id))
    mask = np.zeros(table.num_rows, dtype=np.bool_)
    mask[hits.to_numpy()] = True
    return pa.array(mask)


def _empty_record(name: str, row: int) -> Ad | Item:
    row_id = f"{REMOVED}{row}"
    if name == "ads":
        return Ad(row_id, "")
    return Item(row_id, "", "", ("",), Split.TRAIN, Origin.REAL)
