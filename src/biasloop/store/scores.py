"""Score files: one per model and shard, memory-mapped."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Rows
from biasloop.errors import PoolError

Shards = list[tuple[int, int, int]]
"""(number, first row, rows) of every shard of the pool."""


def read_proba(folder: Path, shards: Shards, rows: Rows) -> NDArray[np.float32]:
    """Stored probabilities (n, k) of these pool rows, which are sorted.

    Raises PoolError when a shard was never scored.
    """
    parts = []
    for number, start, count in shards:
        wanted = rows[(rows >= start) & (rows < start + count)] - start
        if len(wanted):
            parts.append(_map(folder / f"{number:06d}.proba.npy")[wanted])
    return np.concatenate(parts) if parts else np.empty((0, 0), np.float32)


def read_thresholds(folder: Path) -> NDArray[np.float32]:
    """The model's thresholds (k,)."""
    return _map(folder / "thresholds.npy")


def _map(path: Path) -> NDArray[np.float32]:
    try:
        found: NDArray[np.float32] = np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise PoolError(
            f"the score file {path} cannot be read ({error}); delete its folder and run "
            "`biasloop tick`: the score step makes it again"
        ) from None
    return found
