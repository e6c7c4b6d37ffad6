"""Score files: one per model and shard, memory-mapped."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Rows
from biasloop.errors import PoolError
from biasloop.store.atomic import written_whole

Shards = list[tuple[int, int, int]]
"""(number, first row, rows) of every shard of the pool."""


def score_file(folder: Path, shard: int, name: str) -> Path:
    """Where the scores of that name are, of one shard."""
    return folder / f"{shard:06d}.{name}.npy"


def write_scores(folder: Path, shard: int, parts: Sequence[Mapping[str, NDArray[Any]]]) -> None:
    """Writes the scores of one shard, given in parts of some rows each."""
    for name in parts[0]:
        with (
            written_whole(score_file(folder, shard, name)) as temporary,
            temporary.open("wb") as file,
        ):
            np.save(file, np.concatenate([part[name] for part in parts]))


def spread(
    parts: Sequence[Mapping[str, NDArray[Any]]], places: Rows, rows: int
) -> dict[str, NDArray[np.float32]]:
    """The scores of some rows of a shard, given in parts, at their places among all; the others
    are NaN: not scored."""
    whole = {}
    for name in parts[0]:
        found = np.concatenate([part[name] for part in parts])
        whole[name] = np.full((rows, *found.shape[1:]), np.nan, np.float32)
        whole[name][places] = found
    return whole


def read_scores(folder: Path, name: str, shards: Shards, rows: Rows) -> NDArray[np.float32]:
    """Stored scores (n, …) of these pool rows, which are sorted.

    Raises PoolError when a shard was never scored.
    """
    parts = []
    for number, start, count in shards:
        wanted = rows[(rows >= start) & (rows < start + count)] - start
        if len(wanted):
            parts.append(_map(score_file(folder, number, name))[wanted])
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
