"""The pool: all ads and items, in immutable numbered Arrow shards through `datasets`.

Readers need no lock: every public call looks whether the manifest changed and works on one state
of it. Writers take turns by a file lock that the system frees when its holder dies.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Rows
from biasloop.domain.item import Ad, Item
from biasloop.errors import PoolError
from biasloop.store import shards as files
from biasloop.store.series import AD_FIELDS, ITEM_FIELDS, Series, features, to_item, to_table
from biasloop.store.shards import Shard

SHARD_ROWS = 50_000
SHARD_BYTES = 64 * 2**20
CHUNK_ROWS = 1_000
COLUMNS = frozenset(
    {"id", "text_hash", "split", "origin", "root", "group", "operation", "ad_id", "erased"}
)


@dataclass(frozen=True, slots=True)
class PoolStats:
    """What is in the pool. Erased ads and items are counted apart, and only there."""

    ads: int
    items: int
    erased_ads: int
    erased_items: int
    by_origin: dict[str, int]
    by_split: dict[str, int]


@dataclass(frozen=True, slots=True)
class _State:
    signature: tuple[int, ...]
    items: Series
    ads: Series

    def series(self, name: str) -> Series:
        return self.items if name == "items" else self.ads

    def shards(self) -> dict[str, tuple[Shard, ...]]:
        return {name: self.series(name).shards for name in files.SERIES}


class ArrowPool:
    """The pool in a folder, which is made when something is first added.

    Every method raises PoolError when a file of the pool is damaged, gone or cannot be written,
    and the writing ones when another writer holds the lock for over `lock_timeout` seconds.
    """

    def __init__(self, folder: Path, lock_timeout: float = 60.0) -> None:
        self._folder = folder
        self._lock_timeout = lock_timeout
        self._last: _State | None = None

    def __len__(self) -> int:
        """Rows so far, erased ones included."""
        return self._state().items.rows

    def append(self, items: Iterable[Item], ads: Iterable[Ad] = ()) -> tuple[int, int]:
        """Adds the ads, then the items, whose id is new; returns (items added, item duplicates).

        Streams: a shard counts as soon as it is full, so that a killed call leaves whole shards,
        and the same call again adds the rest.
        """
        with self._writing():
            self._extend("ads", ads)
            return self._extend("items", items)

    def column(self, name: str, stop: int | None = None) -> NDArray[Any]:
        """A column of the items in rows [0, stop): id, text_hash, split, origin, root (the first
        one), group, operation, ad_id as str arrays, erased as bool; shape (stop,)."""
        if name not in COLUMNS:
            raise ValueError(
                f"the pool has no column {name!r}; known: {', '.join(sorted(COLUMNS))}"
            )
        return self._state().items.column(name, stop)

    def items(self, rows: Sequence[int] | Rows) -> list[Item]:
        """Whole items, in the order asked. An erased one has no text."""
        taken = self._state().items.take(np.asarray(rows, dtype=np.int64), ITEM_FIELDS)
        return [
            to_item(dict(zip(taken, values, strict=True)))
            for values in zip(*taken.values(), strict=True)
        ]

    def texts(self, rows: Sequence[int] | Rows) -> list[str]:
        """Their texts, in the order asked."""
        return self._state().items.take(np.asarray(rows, dtype=np.int64), ("text",))["text"]

    def rows_of(self, item_ids: Sequence[str]) -> Rows:
        """Row per item id, -1 where unknown, shape (len(item_ids),)."""
        return self._state().items.find(item_ids)

    def ads(self, ad_ids: Sequence[str]) -> dict[str, Ad]:
        """Ads by id; unknown ids are left out. An erased one has no text."""
        ads = self._state().ads
        rows = ads.find(ad_ids)
        taken = ads.take(rows[rows >= 0], AD_FIELDS)
        return {values[0]: Ad(*values) for values in zip(*taken.values(), strict=True)}

    def all_ads(self) -> Iterator[Ad]:
        """Every ad that is not erased, in the order in which they came; a stream."""
        ads = self._state().ads
        for begin in range(0, ads.rows, CHUNK_ROWS):
            rows = np.arange(begin, min(begin + CHUNK_ROWS, ads.rows))
            taken = ads.take(rows, (*AD_FIELDS, "erased"))
            for *values, erased in zip(*taken.values(), strict=True):
                if not erased:
                    yield Ad(*values)

    def shards(self) -> list[tuple[int, int, int]]:
        """(number, first row, rows) of every shard of items. These never change; only what an
        erased ad leaves in a shard does."""
        return [(s.number, s.start, s.rows) for s in self._state().items.shards]

    def stats(self) -> PoolStats:
        """Counts for people to look at."""
        state = self._state()
        erased, erased_ads = state.items.column("erased"), state.ads.column("erased")
        return PoolStats(
            ads=int((~erased_ads).sum()),
            items=int((~erased).sum()),
            erased_ads=int(erased_ads.sum()),
            erased_items=int(erased.sum()),
            by_origin=dict(Counter(state.items.column("origin")[~erased].tolist())),
            by_split=dict(Counter(state.items.column("split")[~erased].tolist())),
        )

    def erase(self, ad_id: str) -> list[str]:
        """Blanks title and text of the ad and of every item that has it among its roots, for ever;
        returns the ids of these items, the same ones when it is called again.

        All of it counts at once, or nothing. Raises PoolError when nothing comes from that ad.
        """
        import pyarrow.compute as pc

        with self._writing() as state:
            ad = [pc.equal(table["id"], ad_id) for table in state.ads.tables]
            items = [_descends(table, ad_id) for table in state.items.tables]
            ids = [
                item_id
                for table, mask in zip(state.items.tables, items, strict=True)
                for item_id in table["id"].filter(mask).to_pylist()
            ]
            if not ids and not any(pc.any(mask).as_py() for mask in ad):
                raise PoolError(f"no ad {ad_id!r} in the pool {self._folder}; check the ad's id")
            manifest = state.shards()
            manifest["ads"] = self._blanked(state.ads, ad, ("text", "title"))
            manifest["items"] = self._blanked(state.items, items, ("text",))
            if manifest != state.shards():
                files.replace_manifest(self._folder, manifest)
            self._sweep(manifest)
            return ids

    def _state(self) -> _State:
        """The pool as it is now."""
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
                continue  # a file was erased from, and replaced, while we were opening it
            self._last = state
            return state

    @contextmanager
    def _writing(self) -> Iterator[_State]:
        """Holds the writer lock; gives the state that the writer starts from."""
        with files.writer_lock(self._folder, self._lock_timeout):
            state = self._state()
            self._sweep(state.shards())
            if not state.signature:
                files.replace_manifest(self._folder, state.shards())
            yield self._state()

    def _sweep(self, manifest: files.Manifest) -> None:
        """Removes what a killed writer left, and shards that were erased from."""
        named = {shard.file for shards in manifest.values() for shard in shards}
        for path in self._folder.glob("*.arrow"):
            if path.name not in named:
                path.unlink()

    def _extend(self, name: str, records: Iterable[Ad] | Iterable[Item]) -> tuple[int, int]:
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
            if len(waiting_ids) > SHARD_ROWS - CHUNK_ROWS or _size(waiting) > SHARD_BYTES:
                self._commit(name, pa.concat_tables(waiting))
                waiting, waiting_ids = [], set()
        if waiting:
            self._commit(name, pa.concat_tables(waiting))
        return added, seen - added

    def _commit(self, name: str, table: Any) -> None:
        """One more shard: from here on it counts."""
        state = self._state()
        series = state.series(name)
        shard = files.write_shard(
            self._folder,
            Shard(name, len(series.shards), series.rows, table.num_rows, size=0),
            table,
            features(name),
        )
        manifest = state.shards()
        manifest[name] += (shard,)
        files.replace_manifest(self._folder, manifest)

    def _blanked(
        self, series: Series, masks: Sequence[Any], columns: Sequence[str]
    ) -> tuple[Shard, ...]:
        """The shards of a series, those rewritten in which a masked row still has its text."""
        import pyarrow as pa
        import pyarrow.compute as pc

        shards = list(series.shards)
        for i, (table, mask) in enumerate(zip(series.tables, masks, strict=True)):
            if not pc.any(pc.and_not(mask, table["erased"])).as_py():
                continue
            values = {name: table[name] for name in table.column_names}
            values |= {name: pc.if_else(mask, "", table[name]) for name in columns}
            values["erased"] = pc.or_(mask, table["erased"])
            again = replace(shards[i], version=shards[i].version + 1)
            blanked = pa.Table.from_pydict(values, schema=table.schema)
            shards[i] = files.write_shard(self._folder, again, blanked, features(again.series))
        return tuple(shards)


def _descends(table: Any, ad_id: str) -> Any:
    """Mask of the items that have `ad_id` among their roots, as a pyarrow array."""
    import pyarrow as pa
    import pyarrow.compute as pc

    roots = table["roots"].combine_chunks()
    hits = pc.list_parent_indices(roots).filter(pc.equal(pc.list_flatten(roots), ad_id))
    mask = np.zeros(table.num_rows, dtype=np.bool_)
    mask[hits.to_numpy()] = True
    return pa.array(mask)


def _size(tables: Iterable[Any]) -> int:
    return sum(table.nbytes for table in tables)
