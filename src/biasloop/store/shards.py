"""Immutable Arrow files, the manifest that lists them, and reading over several of them.

A file counts once the manifest names it, and the manifest is only ever replaced whole; so a
killed writer leaves at most files nobody looks at. No file is written twice under one name: a
shard that is erased from comes back as the next `version`.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Rows
from biasloop.errors import PoolError

MANIFEST = "manifest.json"
SERIES = ("items", "ads")
FIELDS = ("number", "start", "rows", "size", "version")
RESTORE = "put it back from a backup, or remove the whole folder and import again"


@dataclass(frozen=True, slots=True)
class Shard:
    """Rows [start, start + rows) of a series, in a file of `size` bytes."""

    series: str
    number: int
    start: int
    rows: int
    size: int
    version: int = 0

    @property
    def file(self) -> str:
        return f"{self.series}-{self.number:06d}-{self.version}.arrow"


Manifest = Mapping[str, tuple[Shard, ...]]
"""The shards of each series, by number."""


def signature(folder: Path) -> tuple[int, ...]:
    """Changes whenever the manifest does; () while there is none."""
    try:
        stat = (folder / MANIFEST).stat()
    except FileNotFoundError:
        return ()
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino)


def read_manifest(folder: Path) -> Manifest:
    """The shards of the pool in `folder`. Raises PoolError when the manifest is damaged or gone."""
    path = folder / MANIFEST
    try:
        found = json.loads(path.read_bytes())
        manifest = {name: tuple(Shard(name, **entry) for entry in found[name]) for name in SERIES}
    except FileNotFoundError:
        if any(folder.glob("*.arrow")):
            raise PoolError(f"{path} is missing beside its shards; {RESTORE}") from None
        return dict.fromkeys(SERIES, ())
    except (ValueError, KeyError, TypeError) as error:
        raise PoolError(f"{path} is damaged ({error!r}); {RESTORE}") from None
    except OSError as error:
        raise PoolError(f"cannot read {path}: {error.strerror}; check its rights") from None
    for name, shards in manifest.items():
        starts = np.cumsum([0, *(shard.rows for shard in shards)])
        if any((s.number, s.start) != (i, starts[i]) for i, s in enumerate(shards)):
            raise PoolError(f"{path} is damaged (gaps between the {name} shards); {RESTORE}")
    return manifest


def replace_manifest(folder: Path, manifest: Manifest) -> None:
    """Makes `manifest` the pool's, in one step. Raises PoolError (disk full, rights)."""
    content = {
        name: [{key: getattr(shard, key) for key in FIELDS} for shard in shards]
        for name, shards in manifest.items()
    }
    beside = folder / f"{MANIFEST}.new"
    try:
        with beside.open("w") as out:
            json.dump(content, out, indent=1)
            out.flush()
            os.fsync(out.fileno())
        beside.replace(folder / MANIFEST)
    except OSError as error:
        raise unwritable(folder, error) from error


def write_shard(folder: Path, shard: Shard, table: Any, features: Any) -> Shard:
    """Writes a pyarrow table to `shard.file`, safely on disk; it counts only once the manifest
    names it. Returns the shard with its rows and size. Raises PoolError (disk full, rights)."""
    from datasets.arrow_writer import ArrowWriter

    path = folder / shard.file
    try:
        with ArrowWriter(features=features, path=str(path)) as writer:
            writer.write_table(table, writer_batch_size=max(1, table.num_rows))
            writer.finalize()
        with path.open("rb") as written:
            os.fsync(written.fileno())
        return replace(shard, rows=table.num_rows, size=path.stat().st_size)
    except OSError as error:
        raise unwritable(folder, error) from error


def open_shard(folder: Path, shard: Shard) -> Any:
    """The shard as a memory-mapped pyarrow table. Raises PoolError when it is damaged or gone."""
    from datasets import Dataset

    path = folder / shard.file
    try:
        if path.stat().st_size != shard.size:
            raise ValueError(f"{path.stat().st_size} bytes instead of {shard.size}")
        table = Dataset.from_file(str(path)).data.table
        if table.num_rows != shard.rows:
            raise ValueError(f"{table.num_rows} rows instead of {shard.rows}")
        return table
    except FileNotFoundError:
        raise PoolError(f"shard {path} is missing; {RESTORE}") from None
    except (ValueError, OSError) as error:  # pyarrow's errors are both
        raise PoolError(f"shard {path} is damaged ({error}); {RESTORE}") from error


def unwritable(folder: Path, error: OSError) -> PoolError:
    """What to raise for an `error` met in writing."""
    return PoolError(
        f"cannot write the pool in {folder}: {error.strerror or error}; "
        "check free space and rights, then do the same again"
    )


@dataclass(frozen=True, slots=True)
class Index:
    """Ids of rows [0, n) to their rows: sorted UTF-8 ids, and the row of each; both (n,)."""

    ids: NDArray[np.bytes_]
    rows: Rows

    def find(self, ids: Sequence[str]) -> Rows:
        """Row per id, -1 where unknown, shape (len(ids),)."""
        if not len(self.ids) or not len(ids):
            return np.full(len(ids), -1, dtype=np.int64)
        wanted = _encode(ids)
        place = np.minimum(np.searchsorted(self.ids, wanted), len(self.ids) - 1)
        return np.where(self.ids[place] == wanted, self.rows[place], -1)

    def extended(self, ids: NDArray[np.bytes_]) -> "Index":
        """With the ids of the rows that follow; merging spares sorting the old ones again."""
        order = np.argsort(ids, kind="stable")
        place = np.searchsorted(self.ids, ids[order])
        wide = self.ids.astype(np.promote_types(self.ids.dtype, ids.dtype), copy=False)
        return Index(
            np.insert(wide, place, ids[order]),
            np.insert(self.rows, place, len(self.rows) + order.astype(np.int64)),
        )


NO_IDS = Index(np.empty(0, dtype="S1"), np.empty(0, dtype=np.int64))


def _encode(ids: Sequence[str]) -> NDArray[np.bytes_]:
    return np.array([text.encode("utf-8", "surrogatepass") for text in ids], dtype=np.bytes_)


class Series:
    """The shards of one kind, read as one table. Never changes; the index is made when asked for.

    `earlier` is the series before the last change: what still holds is taken over from it.
    """

    def __init__(self, folder: Path, shards: tuple[Shard, ...], earlier: "Series | None") -> None:
        known = dict(zip(earlier.shards, earlier.tables, strict=True)) if earlier else {}
        self.shards = shards
        self.tables = [known.get(shard) or open_shard(folder, shard) for shard in shards]
        self.starts = np.array([shard.start for shard in shards], dtype=np.int64)
        self.rows = sum(shard.rows for shard in shards)
        # Erasing keeps ids and rows, so that an index stays true for the rows it knows.
        self._index = earlier._index if earlier else NO_IDS

    def find(self, ids: Sequence[str]) -> Rows:
        """Row per id, -1 where unknown."""
        if len(self._index.rows) < self.rows:
            new = list(self._pieces("id", len(self._index.rows), self.rows))
            self._index = self._index.extended(
                np.concatenate([_encode(p.to_pylist()) for p in new])
            )
        return self._index.find(ids)

    def column(self, name: str, stop: int | None) -> NDArray[Any]:
        """Rows [0, stop) of a column, as str or bool array."""
        kind = np.bool_ if name == "erased" else np.str_
        end = self.rows if stop is None else min(stop, self.rows)
        pieces = [np.array(p.to_pylist(), dtype=kind) for p in self._pieces(name, 0, end)]
        return np.concatenate([np.empty(0, dtype=kind), *pieces])

    def take(self, rows: Rows, columns: Sequence[str]) -> dict[str, list[Any]]:
        """Those columns of `rows`, in the order asked. Raises PoolError for a row out of range."""
        if len(rows) and not 0 <= rows.min() <= rows.max() < self.rows:
            raise PoolError(
                f"row {rows.min() if rows.min() < 0 else rows.max()} is not in the pool, which has "
                f"{self.rows}; was a pool of another workspace scored?"
            )
        order = np.argsort(rows, kind="stable")
        owner = np.searchsorted(self.starts, rows[order], side="right") - 1
        taken: dict[str, list[Any]] = {name: [] for name in columns}
        for i in np.unique(owner):
            part = self.tables[i].select(columns).take(rows[order][owner == i] - self.starts[i])
            for name in columns:
                taken[name] += part[name].to_pylist()
        back = np.argsort(order)
        return {name: [values[i] for i in back] for name, values in taken.items()}

    def _pieces(self, name: str, start: int, stop: int) -> Iterator[Any]:
        """Rows [start, stop) of a column, shard by shard, as pyarrow arrays."""
        for shard, table in zip(self.shards, self.tables, strict=True):
            first, last = max(start - shard.start, 0), min(stop - shard.start, shard.rows)
            if first < last:
                yield table[name].slice(first, last - first)
