"""The ads of the pool, with the columns that were imported with them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from biasloop.domain.columns import Cell, as_kind, column_kinds, rows_from_json
from biasloop.plugins.exporters.tables import schema_of
from biasloop.ports import Columns
from biasloop.reports.export.columns import ADS, Column, Dictionary, kept_names
from biasloop.reports.export.masking import Masker
from biasloop.store.pool import ArrowPool

ROWS = 1_000
"""Rows of the input as Python objects at a time."""


@dataclass(frozen=True)
class Ads:
    """All ads that are still there, in the order of import.

    `ids` are their ids, `sources` where they come from, and `kept` has one row for each with the
    columns of the input, whose kinds are `kinds`. Their texts are read when they are needed.
    """

    pool: ArrowPool
    ids: pa.Array
    sources: pa.Array
    kinds: Columns
    kept: pa.Table

    def rows_of_items(self) -> pa.ChunkedArray:
        """For each row of the pool the row of its ad in `kept`; null if there is none."""
        shards = self.pool.tables("items", ["ad_id"])
        ad_ids = [chunk for shard in shards for chunk in shard["ad_id"].chunks]
        return pc.index_in(pa.chunked_array(ad_ids, pa.string()), self.ids)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """ad_id, title, text, language and source of all ads."""
        for table in self.pool.tables(
            "ads", ["id", "title", "text", "language", "source", "erased"]
        ):
            here = table.filter(pc.invert(table["erased"])).drop_columns(["erased"])
            yield from here.rename_columns(list(ADS)).to_batches()

    def masked(self, masker: Masker) -> "Ads":
        """The same with personal data masked in the columns of the input."""
        columns = [
            masker.mask_column("ads", name, self.kept[name].combine_chunks()) for name in self.kinds
        ]
        kept = pa.Table.from_arrays(columns, schema=self.kept.schema) if columns else self.kept
        return replace(self, kept=kept)

    def columns(self, taken: Iterable[str]) -> Dictionary:
        """The columns of the input, called otherwise than the columns `taken`."""
        given = kept_names(self.kinds, taken)
        return {
            given[name]: Column(kind, _meaning(name, given[name]))
            for name, kind in self.kinds.items()
        }


def read_ads(pool: ArrowPool) -> Ads:
    """The ads of a pool."""
    ids, sources, texts = [], [], []
    for table in pool.tables("ads", ["id", "source", "columns", "erased"]):
        here = table.filter(pc.invert(table["erased"])).combine_chunks()
        ids += here["id"].chunks
        sources += here["source"].chunks
        texts += here["columns"].to_pylist()
    kinds = column_kinds(row for part in _parts(texts) for row in part)
    return Ads(
        pool,
        pa.chunked_array(ids, pa.string()).combine_chunks(),
        pa.chunked_array(sources, pa.string()).combine_chunks(),
        kinds,
        _kept(texts, kinds),
    )


def _kept(texts: list[str], kinds: Columns) -> pa.Table:
    """The columns of the input as a table, column by column."""
    schema = schema_of(kinds)
    if not kinds:
        return pa.table({"": pa.nulls(len(texts))}).select([])
    pieces = [schema.empty_table()]
    for rows in _parts(texts):
        columns = {
            name: [as_kind(row[name], kind) if name in row else None for row in rows]
            for name, kind in kinds.items()
        }
        pieces.append(pa.Table.from_pydict(columns, schema))
    return pa.concat_tables(pieces).combine_chunks()


def _parts(texts: list[str]) -> Iterator[list[dict[str, Cell]]]:
    """The rows that are these JSON texts, `ROWS` at a time."""
    for begin in range(0, len(texts), ROWS):
        yield rows_from_json(texts[begin : begin + ROWS])


def _meaning(name: str, given: str) -> str:
    return (
        "column of the input" if name == given else f"column of the input that is called {name!r}"
    )
