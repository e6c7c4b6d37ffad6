"""The pool: all ads and items, in immutable numbered Arrow shards written with `datasets`.

Readers need no lock: every public call reads the manifest again if it has changed, and works on
that state. Writers take turns by a file lock, which the system releases when its holder dies.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Rows
from biasloop.domain.item import Ad, Item
from biasloop.errors import PoolError
from biasloop.store import shards as files
from biasloop.store.rewriting import (
    REMOVED,
    blank_texts,
    descendant_mask,
    empty_rows,
    rewrite_shards,
    row_masks,
)
from biasloop.store.series import (
    AD_FIELDS,
    ITEM_FIELDS,
    Series,
    dataset_features,
    to_ad,
    to_item,
    to_table,
)
from biasloop.store.shards import Shard

SHARD_ROWS = 50_000
SHARD_BYTES = 64 * 2**20
CHUNK_ROWS = 1_000
COLUMNS = frozenset(
    {"id", "text_hash", "split", "origin", "root", "group", "operation", "ad_id", "erased"}
)

Filled = Callable[[int, int], None]
"""Is told the first row that was filled, and the one after the last."""


@dataclass(frozen=True, slots=True)
class PoolStats:
    """Counts of the pool. What is erased counts only as such, what is removed nowhere."""

    ads: int
    items: int
    erased_ads: int
    erased_items: int
    by_origin: dict[str, int]
    by_split: dict[str, int]


@dataclass(frozen=True, slots=True)
class _State:
    """The pool as of one manifest, which `signature` identifies."""

    signature: tuple[int, ...]
    items: Series
    ads: Series

    def series(self, name: str) -> Series:
        return self.items if name == "items" else self.ads

    def shards(self) -> dict[str, tuple[Shard, ...]]:
        return {name: self.series(name).shards for name in files.SERIES}


class ArrowPool:
    """The pool in a folder, which is made when something is first added.

    Every method raises PoolError when a file of the pool is damaged, missing or cannot be written;
    writing methods also when another writer holds the lock for over `lock_timeout` seconds.
    """

    def __init__(self, folder: Path, lock_timeout: float = 60.0) -> None:
        self._folder = folder
        self._lock_timeout = lock_timeout
        self._last: _State | None = None

    def __len__(self) -> int:
        """The number of rows, including erased ones."""
        return self._state().items.rows

    def append(
        self, items: Iterable[Item], ads: Iterable[Ad] = (), filled: Filled | None = None
    ) -> tuple[int, int]:
        """Adds ads and then items whose ids are new; returns (items added, duplicate items).

        The arguments are streamed. A shard is committed as soon as it is full; `filled` then gets
        its rows. If a call is killed, the same call adds the rest."""
        with self._writing():
            self._extend("ads", ads)
            return self._extend("items", items, filled)

    def column(self, name: str, stop: int | None = None) -> NDArray[Any]:
        """A column of the item rows [0, stop), shape (stop,): id, text_hash, split, origin, root
        (the first one), group, operation or ad_id as str array, or erased as bool array."""
        if name not in COLUMNS:
            raise ValueError(
                f"the pool has no column {name!r}; known: {', '.join(sorted(COLUMNS))}"
            )
        return self._state().items.column(name, stop)

    def items(self, rows: Sequence[int] | Rows) -> list[Item]:
        """The items of these rows, in the same order. An erased item has no text."""
        taken = self._state().items.take(np.asarray(rows, dtype=np.int64), ITEM_FIELDS)
        return [
            to_item(dict(zip(taken, values, strict=True)))
            for values in zip(*taken.values(), strict=True)
        ]

    def texts(self, rows: Sequence[int] | Rows) -> list[str]:
        """The texts of these rows, in the same order."""
        return self._state().items.take(np.asarray(rows, dtype=np.int64), ("text",))["text"]

    def tables(self, series: str, columns: Sequence[str]) -> list[Any]:
        """These columns of all "items" or "ads" in order, erased ones too, as pyarrow tables."""
        return [table.select(columns) for table in self._state().series(series).tables]

    def rows_of(self, item_ids: Sequence[str]) -> Rows:
        """The row of each item id, -1 if unknown, shape (len(item_ids),)."""
        return self._state().items.find(item_ids)

    def ads(self, ad_ids: Sequence[str]) -> dict[str, Ad]:
        """The ads by id, without unknown ids. An erased ad has no text."""
        ads = self._state().ads
        rows = ads.find(ad_ids)
        taken = ads.take(rows[rows >= 0], AD_FIELDS)
        return {values[0]: to_ad(*values) for values in zip(*taken.values(), strict=True)}

    def all_ads(self) -> Iterator[Ad]:
        """Yields every ad that is not erased, in the order of import."""
        ads = self._state().ads
        for begin in range(0, ads.rows, CHUNK_ROWS):
            rows = np.arange(begin, min(begin + CHUNK_ROWS, ads.rows))
            taken = ads.take(rows, (*AD_FIELDS, "erased"))
            for *values, erased in zip(*taken.values(), strict=True):
                if not erased:
                    yield to_ad(*values)

    def shards(self) -> list[tuple[int, int, int]]:
        """(number, first row, number of rows) of every shard of items; erasing changes none."""
        return [(s.number, s.start, s.rows) for s in self._state().items.shards]

    def stats(self) -> PoolStats:
        """Counts for reports."""
        state = self._state()
        erased, erased_ads = state.items.column("erased"), state.ads.column("erased")
        return PoolStats(
            ads=int((~erased_ads).sum()),
            items=int((~erased).sum()),
            erased_ads=_count_erased(state.ads, erased_ads),
            erased_items=_count_erased(state.items, erased),
            by_origin=dict(Counter(state.items.column("origin")[~erased].tolist())),
            by_split=dict(Counter(state.items.column("split")[~erased].tolist())),
        )

    def erase(self, ad_id: str) -> list[str]:
        """Blanks all of the ad but its id, and the text of every item that has it among its roots,
        forever; returns the ids of these items. Repeatable. Atomic: all of it is erased or nothing.
        Raises PoolError when the pool has neither the ad nor an item that descends from it.
        """
        import pyarrow.compute as pc

        with self._writing() as state:
            ad_masks = [pc.equal(table["id"], ad_id) for table in state.ads.tables]
            item_masks = [descendant_mask(table, ad_id) for table in state.items.tables]
            ids = [
                item_id
                for table, mask in zip(state.items.tables, item_masks, strict=True)
                for item_id in table["id"].filter(mask).to_pylist()
            ]
            if not ids and not any(pc.any(mask).as_py() for mask in ad_masks):
                raise PoolError(f"no ad {ad_id!r} in the pool {self._folder}; check the ad's id")
            manifest = state.shards()
            blank_ads = blank_texts("text", "title", "source", "columns")
            blank_items = blank_texts("text")
            manifest["ads"] = rewrite_shards(self._folder, state.ads, ad_masks, blank_ads)
            manifest["items"] = rewrite_shards(self._folder, state.items, item_masks, blank_items)
            self._replace(state, manifest)
            return ids

    def remove(self, rows: Rows, ad_ids: Sequence[str]) -> None:
        """Empties these rows and the ads with these ids, as if they had never been added: the same
        ids can be added again, in new rows. Row numbers stay, and so does what is erased.
        Repeatable. Atomic: all of it is removed or nothing."""
        with self._writing() as state:
            ad_rows = state.ads.find(ad_ids)
            manifest = state.shards()
            for name, gone in (("items", rows), ("ads", ad_rows[ad_rows >= 0])):
                series = state.series(name)
                masks = row_masks(series, gone)
                manifest[name] = rewrite_shards(self._folder, series, masks, empty_rows)
            self._replace(state, manifest)

    def _state(self) -> _State:
        """The current state of the pool."""
        while True:
            last, now = self._last, files.signature(self._folder)
            if last is not None and last.signature == now:
                return last
            try:
                manifest = files.read_manifest(self._folder)
                state = _State(
                    now,
                    Series(self._folder, manifest["items"], last.items if last else None),
                    Series(self._folder, manifest["ads"], last.ads if last else None),
                )
            except PoolError:
                if files.signature(self._folder) == now:
                    raise
                continue  # an erasure replaced a shard while it was being opened
            self._last = state
            return state

    @contextmanager
    def _writing(self) -> Iterator[_State]:
        """Holds the writer lock; yields the state from which the writer starts."""
        with files.writer_lock(self._folder, self._lock_timeout):
            state = self._state()
            self._delete_unlisted(state.shards())
            if not state.signature:
                files.replace_manifest(self._folder, state.shards())
            yield self._state()

    def _replace(self, state: _State, manifest: files.Manifest) -> None:
        """Lists the shards of `manifest` in place of those of `state`, and deletes all others."""
        if manifest != state.shards():
            files.replace_manifest(self._folder, manifest)
        self._delete_unlisted(manifest)

    def _delete_unlisted(self, manifest: files.Manifest) -> None:
        """Deletes shards that are not in the manifest: left by killed writers, or replaced."""
        listed = {shard.file for shards in manifest.values() for shard in shards}
        for path in self._folder.glob("*.arrow"):
            if path.name not in listed:
                path.unlink()

    def _extend(
        self, name: str, records: Iterable[Ad] | Iterable[Item], filled: Filled | None = None
    ) -> tuple[int, int]:
        """Adds shard after shard to a series; returns (added, duplicates)."""
        import pyarrow as pa

        added = seen = 0
        waiting: list[Any] = []
        waiting_ids: set[str] = set()
        stream: Iterator[Ad | Item] = iter(records)
        while chunk := list(islice(stream, CHUNK_ROWS)):
            seen += len(chunk)
            rows = self._state().series(name).find([record.id for record in chunk])
            new: list[Ad | Item] = []
            for record, row in zip(chunk, rows, strict=True):
                if row < 0 and record.id not in waiting_ids:
                    waiting_ids.add(record.id)
                    new.append(record)
            if new:
                waiting.append(to_table(name, new))
                added += len(new)
            size = sum(table.nbytes for table in waiting)
            if len(waiting_ids) > SHARD_ROWS - CHUNK_ROWS or size > SHARD_BYTES:
                self._commit(name, pa.concat_tables(waiting), filled)
                waiting, waiting_ids = [], set()
        if waiting:
            self._commit(name, pa.concat_tables(waiting), filled)
        return added, seen - added

    def _commit(self, name: str, table: Any, filled: Filled | None) -> None:
        """Writes one more shard, lists it in the manifest, and says which rows it has."""
        series = (state := self._state()).series(name)
        shard = files.write_shard(
            self._folder,
            Shard(name, len(series.shards), series.rows, table.num_rows, size=0),
            table,
            dataset_features(name),
        )
        manifest = state.shards()
        manifest[name] += (shard,)
        files.replace_manifest(self._folder, manifest)
        if filled is not None:
            filled(shard.start, shard.start + shard.rows)


def _count_erased(series: Series, erased: NDArray[np.bool_]) -> int:
    """The number of erased rows, without those that were removed."""
    ids = series.take(np.flatnonzero(erased), ("id",))["id"]
    return sum(not name.startswith(REMOVED) for name in ids)
