"""Immutable Arrow files, the manifest that lists them, and reading over several of them.

A file counts once the manifest names it, and the manifest is only ever replaced whole; so a
killed writer leaves at most files nobody looks at. No file is written twice under one name: a
shard that is erased from comes back as the next `version`.
"""

import json
import os
import socket
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from biasloop.errors import PoolError
from biasloop.store.atomic import written_whole

MANIFEST = "manifest.json"
SERIES = ("items", "ads")
FIELDS = ("number", "start", "rows", "size", "version", "crc")
BLOCK = 2**20
RESTORE = "put it back from a backup, or remove the whole folder and import again"


@dataclass(frozen=True, slots=True)
class Shard:
    """Rows [start, start + rows) of a series, in a file of `size` bytes with checksum `crc`
    (None: written by a version that took none)."""

    series: str
    number: int
    start: int
    rows: int
    size: int
    version: int = 0
    crc: int | None = None

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
    try:
        with written_whole(folder / MANIFEST) as temporary, temporary.open("w") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
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
        return replace(shard, rows=table.num_rows, size=path.stat().st_size, crc=_crc(path))
    except OSError as error:
        raise unwritable(folder, error) from error


def open_shard(folder: Path, shard: Shard) -> Any:
    """The shard as a memory-mapped pyarrow table. Raises PoolError when it is damaged or gone."""
    import pyarrow as pa

    path = folder / shard.file
    try:
        if path.stat().st_size != shard.size:
            raise ValueError(f"{path.stat().st_size} bytes instead of {shard.size}")
        # Arrow trusts what it maps: a flipped byte may end the process.
        if shard.crc is not None and _crc(path) != shard.crc:
            raise ValueError("its checksum is another than when it was written")
        # As datasets.Dataset.from_file does, which takes two seconds to load first.
        table = pa.ipc.open_stream(pa.memory_map(str(path))).read_all()
        if table.num_rows != shard.rows:
            raise ValueError(f"{table.num_rows} rows instead of {shard.rows}")
        return table
    except FileNotFoundError:
        raise PoolError(f"shard {path} is missing; {RESTORE}") from None
    except (ValueError, OSError) as error:  # pyarrow's errors are both
        raise PoolError(f"shard {path} is damaged ({error}); {RESTORE}") from error


def _crc(path: Path) -> int:
    crc = 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            crc = zlib.crc32(block, crc)
    return crc


@contextmanager
def writer_lock(folder: Path, timeout: float) -> Iterator[None]:
    """Keeps other writers away, in this process and others; the system frees the lock when its
    holder dies. Makes the folder. Raises PoolError after `timeout` seconds, naming the holder."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / "writer.lock", timeout=timeout)
    holder = folder / "writer"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        holder.write_text(f"process {os.getpid()} on {socket.gethostname()}")
    except Timeout:
        who = holder.read_text() if holder.exists() else "another process"
        raise PoolError(
            f"{who} has been writing to the pool {folder} for over {timeout:g} s; "
            "wait for it to end, then do the same again"
        ) from None
    except OSError as error:
        lock.release()
        raise unwritable(folder, error) from error
    try:
        yield
    finally:
        lock.release()


def unwritable(folder: Path, error: OSError) -> PoolError:
    """What to raise for an `error` met in writing."""
    return PoolError(
        f"cannot write the pool in {folder}: {error.strerror or error}; "
        "check free space and rights, then do the same again"
    )
