"""Immutable Arrow files (shards) and the manifest that lists them.

Only files in the manifest count, and the manifest is replaced atomically, so a killed writer leaves
at most files that are ignored. A file is never overwritten: erasing writes the shard again under
the next `version`.
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
from biasloop.store.atomic import write_whole

MANIFEST = "manifest.json"
SERIES = ("items", "ads")
FIELDS = ("number", "start", "rows", "size", "version", "crc")
BLOCK = 2**20
RESTORE = "restore it from a backup, or delete the whole folder and import again"


@dataclass(frozen=True, slots=True)
class Shard:
    """Rows [start, start + rows) of a series, in a file of `size` bytes with checksum `crc`
    (None: written by an old version, without one)."""

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
    """Identifies the version of the manifest: it changes with every replacement; () without one."""
    try:
        stat = (folder / MANIFEST).stat()
    except FileNotFoundError:
        return ()
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino)


def read_manifest(folder: Path) -> Manifest:
    """The shards of the pool in `folder`. Raises PoolError when its manifest is damaged or lost."""
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_bytes())
        manifest = {name: tuple(Shard(name, **entry) for entry in content[name]) for name in SERIES}
    except FileNotFoundError:
        if any(folder.glob("*.arrow")):
            raise PoolError(f"{path} is missing, but its shards are there; {RESTORE}") from None
        return dict.fromkeys(SERIES, ())
    except (ValueError, KeyError, TypeError) as error:
        raise PoolError(f"{path} is damaged ({error!r}); {RESTORE}") from None
    except OSError as error:
        raise PoolError(f"cannot read {path}: {error.strerror}; check its permissions") from None
    for name, shards in manifest.items():
        starts = np.cumsum([0, *(shard.rows for shard in shards)])
        if any((s.number, s.start) != (i, starts[i]) for i, s in enumerate(shards)):
            raise PoolError(f"{path} is damaged (gaps between the {name} shards); {RESTORE}")
    return manifest


def replace_manifest(folder: Path, manifest: Manifest) -> None:
    """Replaces the manifest of the pool atomically. Raises PoolError (disk full, permissions)."""
    content = {
        name: [{key: getattr(shard, key) for key in FIELDS} for shard in shards]
        for name, shards in manifest.items()
    }
    try:
        write_whole(folder / MANIFEST, json.dumps(content, indent=1))
    except OSError as error:
        raise write_error(folder, error) from error


def write_shard(folder: Path, shard: Shard, table: Any, features: Any) -> Shard:
    """Writes a pyarrow table to `shard.file` and flushes it to disk; it counts only once it is in
    the manifest. Returns the shard with rows, size and checksum. Raises PoolError (disk full,
    permissions)."""
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
        raise write_error(folder, error) from error


def open_shard(folder: Path, shard: Shard) -> Any:
    """The shard as a memory-mapped pyarrow table. Raises PoolError when it is damaged or lost."""
    import pyarrow as pa

    path = folder / shard.file
    try:
        if path.stat().st_size != shard.size:
            raise ValueError(f"{path.stat().st_size} bytes instead of {shard.size}")
        # Arrow does not validate files: a flipped byte may crash the process.
        if shard.crc is not None and _crc(path) != shard.crc:
            raise ValueError("its checksum differs from that at writing")
        # The same as datasets.Dataset.from_file, whose import takes two seconds.
        table = pa.ipc.open_stream(pa.memory_map(str(path))).read_all()
        if table.num_rows != shard.rows:
            raise ValueError(f"{table.num_rows} rows instead of {shard.rows}")
        return table
    except FileNotFoundError:
        raise PoolError(f"shard {path} is missing; {RESTORE}") from None
    except (ValueError, OSError) as error:  # pyarrow raises both
        raise PoolError(f"shard {path} is damaged ({error}); {RESTORE}") from error


def _crc(path: Path) -> int:
    crc = 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            crc = zlib.crc32(block, crc)
    return crc


@contextmanager
def writer_lock(folder: Path, timeout: float) -> Iterator[None]:
    """Excludes other writers, in this process and others; the system releases the lock when its
    holder dies. Makes the folder. Raises PoolError, which names the holder, after `timeout`
    seconds."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / "writer.lock", timeout=timeout)
    holder = folder / "writer"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        holder.write_text(f"process {os.getpid()} on {socket.gethostname()}")
    except Timeout:
        holder_name = holder.read_text() if holder.exists() else "another process"
        raise PoolError(
            f"{holder_name} has been writing to the pool {folder} for over {timeout:g} s; "
            "wait until it ends, then try again"
        ) from None
    except OSError as error:
        lock.release()
        raise write_error(folder, error) from error
    try:
        yield
    finally:
        lock.release()


def write_error(folder: Path, error: OSError) -> PoolError:
    """The PoolError to raise for an error in writing."""
    return PoolError(
        f"cannot write the pool in {folder}: {error.strerror or error}; "
        "check free space and permissions, then try again"
    )
