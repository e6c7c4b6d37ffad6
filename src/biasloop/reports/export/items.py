"""The tables of items and ads, in batches of columns."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from biasloop.plugins.exporters.tables import schema_of
from biasloop.reports.export.ads import Ads
from biasloop.reports.export.columns import ADS, ITEMS, Dictionary, kinds
from biasloop.reports.export.facts import ANNOTATORS, FROM_POOL, Facts
from biasloop.reports.export.filters import Sieve
from biasloop.reports.export.machine import MachineFacts
from biasloop.reports.export.masking import Masker
from biasloop.reports.export.verdicts import ModelVerdicts
from biasloop.store.pool import ArrowPool

BLOCK = 20_000
"""Rows of the pool at a time."""
EMPTY_IF_BLANK = ("ad_id", "operation", "group")


@dataclass
class Corpus:
    """What the tables are made from. `whole`: items without a label, too. `narrowed`: a filter is
    given, so that votes and ads are only those of exported items. `kept` are the columns of the
    input, as both tables have them. `masker` is None where personal data is kept.

    `exported` says of each row of the pool whether it was exported, once the items were read.
    """

    pool: ArrowPool
    facts: Facts
    machine: MachineFacts
    ads: Ads
    sieve: Sieve
    verdicts: ModelVerdicts | None
    masker: Masker | None
    kept: Dictionary
    whole: bool
    narrowed: bool
    exported: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.exported = np.zeros(len(self.pool), dtype=bool)

    def item_batches(
        self, columns: Dictionary, progress: Callable[[int], None]
    ) -> Iterator[pa.RecordBatch]:
        """One row per item, in the order of the pool; texts that were taken down are left out.
        `progress` gets the number of rows of the pool that were read."""
        schema, start = schema_of(kinds(columns)), 0
        fields = ["id", *FROM_POOL[1:], "erased"]
        for shard in self.pool.tables("items", fields):
            for begin in range(0, len(shard), BLOCK):
                block = shard.slice(begin, BLOCK)
                yield from self._items(block, start, schema)
                start += len(block)
                progress(start)

    def _items(self, block: pa.Table, start: int, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        facts = self.machine.fill(self.facts.of(start, start + len(block)), start)
        here = pc.invert(block["erased"])
        if not self.whole:
            here = pc.and_(here, pc.is_valid(facts["labels"]))
        rows = np.flatnonzero(here.to_numpy())
        block, facts = block.take(rows), facts.take(rows)
        items = block.drop_columns(["erased"]).rename_columns(list(FROM_POOL))
        items = _blank_to_empty(items)
        more = self.verdicts.of_items(items["text"], items["ad_id"]) if self.verdicts else None
        passed = self.sieve.mask(items, facts)
        self.exported[start + rows[passed]] = True
        if not passed.any():
            return
        chosen = pa.array(passed)
        items, facts = items.filter(chosen), facts.filter(chosen)
        items, facts = self._masked(items, facts)
        columns = [*items.columns, *facts.drop_columns([ANNOTATORS]).columns]
        columns += more.filter(chosen).columns if more else []
        columns += self._input_columns(pa.array(start + rows[passed]))
        table = pa.Table.from_arrays(columns, schema=schema)
        yield from table.combine_chunks().to_batches()

    def _masked(self, items: pa.Table, facts: pa.Table) -> tuple[pa.Table, pa.Table]:
        if self.masker is None:
            return items, facts
        texts, rewrites = self.masker.mask_items(items, facts["rewrite"])
        return (
            items.set_column(items.column_names.index("text"), "text", texts),
            facts.set_column(facts.column_names.index("rewrite"), "rewrite", rewrites),
        )

    def _input_columns(self, rows: pa.Array) -> list[pa.ChunkedArray]:
        """The columns of the input for the items in these rows of the pool."""
        return list(self.ads.kept.take(self._ad_rows.take(rows)).columns) if self.kept else []

    @cached_property
    def _ad_rows(self) -> pa.ChunkedArray:
        return self.ads.rows_of_items()

    def ad_batches(self, columns: Dictionary) -> Iterator[pa.RecordBatch]:
        """One row per ad; where the export is narrowed, per ad of an exported item. Read items
        first."""
        schema, start = schema_of(kinds(columns)), 0
        wanted = self._ads_of_exported() if self.narrowed else None
        for batch in self.ads.batches():
            values = [*(self.masker.mask_ads(batch) if self.masker else batch).columns]
            values += self.verdicts.of_ads(batch["ad_id"]).columns if self.verdicts else []
            values += [c.combine_chunks() for c in self.ads.kept.slice(start, len(batch)).columns]
            start += len(batch)
            whole = pa.RecordBatch.from_arrays(values, schema=schema)
            yield whole.filter(pc.is_in(batch["ad_id"], wanted)) if self.narrowed else whole

    def _ads_of_exported(self) -> pa.Array:
        """The ids of the ads of exported items."""
        start, ids = 0, []
        for shard in self.pool.tables("items", ["ad_id"]):
            exported = self.exported[start : start + len(shard)]
            ids.append(pc.unique(shard["ad_id"].filter(pa.array(exported))))
            start += len(shard)
        return pc.unique(pa.chunked_array(ids, pa.string()))

    def is_exported(self, item_ids: list[str]) -> NDArray[np.bool_]:
        """Whether each of these items was exported, (n,)."""
        rows = self.pool.rows_of(item_ids)
        return np.asarray((rows >= 0) & self.exported[rows])


def item_columns(corpus: Corpus, facts: Dictionary) -> Dictionary:
    """The columns of items; `facts` are those of `fact_columns`."""
    more = corpus.verdicts.columns if corpus.verdicts else {}
    return {**{name: ITEMS[name] for name in FROM_POOL}, **facts, **more, **corpus.kept}


def ad_columns(corpus: Corpus) -> Dictionary:
    """The columns of ads."""
    more = corpus.verdicts.columns if corpus.verdicts else {}
    return {**ADS, **more, **corpus.kept}


def _blank_to_empty(items: pa.Table) -> pa.Table:
    for name in EMPTY_IF_BLANK:
        place = items.column_names.index(name)
        column = items[name]
        items = items.set_column(place, name, pc.if_else(pc.equal(column, ""), None, column))
    return items
