"""The columns of the pool, and a series of shards (of ads or items) that is read as one table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Rows
from biasloop.domain.columns import from_json, to_json
from biasloop.domain.item import Ad, Item, Origin
from biasloop.domain.split import Split
from biasloop.errors import PoolError
from biasloop.store.shards import Shard, open_shard

ITEM_FIELDS = (
    "id", "text", "text_hash", "roots", "split", "origin", "ad_id", "start", "end", "parents",
    "operation", "group",
)  # fmt: skip
AD_FIELDS = ("id", "text", "title", "language", "source", "columns")


def dataset_features(name: str) -> Any:
    """The column types of a series ("items" or "ads"), for `datasets`."""
    from datasets import Features, List, Value

    string, number = Value("string"), Value("int64")
    special = {"start": number, "end": number, "roots": List(string), "parents": List(string)}
    names = (*ITEM_FIELDS, "root") if name == "items" else AD_FIELDS
    return Features({n: special.get(n, string) for n in names} | {"erased": Value("bool")})


def to_table(name: str, records: Sequence[Ad | Item]) -> Any:
    """The records as a pyarrow table. Raises PoolError for text that is not valid Unicode."""
    import pyarrow as pa

    fields = ITEM_FIELDS if name == "items" else AD_FIELDS
    columns = {field: [getattr(record, field) for record in records] for field in fields}
    if name == "items":
        columns["root"] = [roots[0] for roots in columns["roots"]]
    else:
        columns["columns"] = list(map(to_json, columns["columns"]))
    columns["erased"] = [False] * len(records)
    try:
        return pa.Table.from_pydict(columns, schema=dataset_features(name).arrow_schema)
    except (ValueError, TypeError) as error:  # mostly lone surrogates
        raise PoolError(
            f"the pool cannot store one of these {name}: {error}; correct it and try again"
        ) from error


def to_item(row: dict[str, Any]) -> Item:
    """The item of a row, a dictionary of ITEM_FIELDS."""
    row["split"], row["origin"] = Split(row["split"]), Origin(row["origin"])
    row["roots"], row["parents"] = tuple(row["roots"]), tuple(row["parents"])
    return Item(**row)


def to_ad(*values: Any) -> Ad:
    """The ad of a row, whose values come in the order of AD_FIELDS."""
    ad_id, text, title, language, source, columns = values
    return Ad(ad_id, text, title, language, source, from_json(columns))


def completed(name: str, table: Any) -> Any:
    """A table of a series with all columns of this version: ads of earlier versions have none of
    the columns of their input."""
    import pyarrow as pa

    if name == "items" or "columns" in table.column_names:
        return table
    empty = pa.array([""] * len(table), pa.string())
    return table.append_column("columns", empty).select([*AD_FIELDS, "erased"])


@dataclass(frozen=True, slots=True)
class Index:
    """Finds rows by id: the ids of rows [0, n) in UTF-8, sorted, and the row of each; both (n,)."""

    ids: NDArray[np.bytes_]
    rows: Rows

    def find(self, ids: Sequence[str]) -> Rows:
        """The row of each id, -1 if unknown, shape (len(ids),)."""
        if not len(self.ids) or not len(ids):
            return np.full(len(ids), -1, dtype=np.int64)
        encoded = _encode(ids)
        position = np.minimum(np.searchsorted(self.ids, encoded), len(self.ids) - 1)
        return np.where(self.ids[position] == encoded, self.rows[position], -1)

    def extended(self, ids: NDArray[np.bytes_]) -> "Index":
        """The index with the ids of the next rows as well. Merges them, which is faster than
        sorting all ids again."""
        order = np.argsort(ids, kind="stable")
        positions = np.searchsorted(self.ids, ids[order])
        wide_ids = self.ids.astype(np.promote_types(self.ids.dtype, ids.dtype), copy=False)
        return Index(
            np.insert(wide_ids, positions, ids[order]),
            np.insert(self.rows, positions, len(self.rows) + order.astype(np.int64)),
        )


EMPTY_INDEX = Index(np.empty(0, dtype="S1"), np.empty(0, dtype=np.int64))


def _encode(ids: Sequence[str]) -> NDArray[np.bytes_]:
    return np.array([text.encode("utf-8", "surrogatepass") for text in ids], dtype=np.bytes_)


class Series:
    """The shards of ads or items, read as one immutable table. The index is built on first use.

    `earlier` is the series before the last change; shards that are still valid are taken from it.
    """

    def __init__(self, folder: Path, shards: tuple[Shard, ...], earlier: "Series | None") -> None:
        open_tables: dict[Shard, Any] = {}
        if earlier is not None:
            open_tables = dict(zip(earlier.shards, earlier.tables, strict=True))
        self.shards: tuple[Shard, ...] = shards
        self.tables: list[Any] = [
            open_tables[shard]
            if shard in open_tables
            else completed(shard.series, open_shard(folder, shard))
            for shard in shards
        ]
        self.starts = np.array([shard.start for shard in shards], dtype=np.int64)
        self.rows = sum(shard.rows for shard in shards)
        # An index is valid as long as no shard was rewritten: rows that are removed lose their ids.
        grown = earlier is not None and shards[: len(earlier.shards)] == earlier.shards
        self._index: Index = earlier._index if earlier is not None and grown else EMPTY_INDEX

    def find(self, ids: Sequence[str]) -> Rows:
        """The row of each id, -1 if unknown, shape (len(ids),)."""
        index = self._index  # read once: another thread may extend it meanwhile
        if len(index.rows) < self.rows:
            new = self._pieces("id", len(index.rows), self.rows)
            index = index.extended(np.concatenate([_encode(piece.to_pylist()) for piece in new]))
            self._index = index
        return index.find(ids)

    def column(self, name: str, stop: int | None = None) -> NDArray[Any]:
        """Rows [0, stop) of a column as str array, of `erased` as bool array."""
        kind = np.bool_ if name == "erased" else np.str_
        end = self.rows if stop is None else min(stop, self.rows)
        pieces = [
            np.array(values.dictionary.to_pylist(), dtype=kind)[values.indices.to_numpy()]
            for piece in self._pieces(name, 0, end)
            for values in piece.dictionary_encode().chunks  # most columns repeat few values
        ]
        return np.concatenate([np.empty(0, dtype=kind), *pieces])

    def take(self, rows: Rows, columns: Sequence[str]) -> dict[str, list[Any]]:
        """The values of these rows, by column, in the same order. Raises PoolError for a row out
        of range."""
        if len(rows) and not 0 <= rows.min() <= rows.max() < self.rows:
            raise PoolError(
                f"row {rows.min() if rows.min() < 0 else rows.max()} is not in the pool, which has "
                f"{self.rows}; was a pool of another workspace scored?"
            )
        order = np.argsort(rows, kind="stable")
        shard_numbers = np.searchsorted(self.starts, rows[order], side="right") - 1
        taken: dict[str, list[Any]] = {name: [] for name in columns}
        for i in np.unique(shard_numbers):
            positions = rows[order][shard_numbers == i] - self.starts[i]
            part = self.tables[i].select(columns).take(positions)
            for name in columns:
                taken[name] += part[name].to_pylist()
        inverse = np.argsort(order)
        return {name: [values[i] for i in inverse] for name, values in taken.items()}

    def _pieces(self, name: str, start: int, stop: int) -> Iterator[Any]:
        """Rows [start, stop) of a column, shard by shard, as pyarrow arrays."""
        for shard, table in zip(self.shards, self.tables, strict=True):
            first, last = max(start - shard.start, 0), min(stop - shard.start, shard.rows)
            if first < last:
                yield table[name].slice(first, last - first)
