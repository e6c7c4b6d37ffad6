"""Score files: one per model, shard and kind of score, memory-mapped."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Rows
from biasloop.errors import PoolError
from biasloop.store.arrays import write_array
from biasloop.store.atomic import read_if_intact

Shards = list[tuple[int, int, int]]
"""(number, first row, number of rows) of every shard of the pool."""


def score_file(folder: Path, shard: int, name: str) -> Path:
    """The file of the scores `name` of a shard."""
    return folder / f"{shard:06d}.{name}.npy"


def write_scores(folder: Path, shard: int, parts: Sequence[Mapping[str, NDArray[Any]]]) -> None:
    """Writes the scores of a shard; each part holds the scores of some of its rows, by name."""
    for name in parts[0]:
        write_array(score_file(folder, shard, name), np.concatenate([part[name] for part in parts]))


def has_scores(folder: Path, shard: int, name: str, n_rows: int) -> bool:
    """Whether the scores `name` of all rows of a shard are stored and can be read."""
    scores = read_if_intact(score_file(folder, shard, name), _map_file)
    return scores is not None and len(scores) == n_rows


def scatter_scores(
    parts: Sequence[Mapping[str, NDArray[Any]]], positions: Rows, n_rows: int
) -> dict[str, NDArray[np.float32]]:
    """Scores for all `n_rows` rows of a shard, from the scores of the rows at `positions`, which
    are given in parts. Rows that were not scored are NaN."""
    all_scores = {}
    for name in parts[0]:
        scores = np.concatenate([part[name] for part in parts])
        all_scores[name] = np.full((n_rows, *scores.shape[1:]), np.nan, np.float32)
        all_scores[name][positions] = scores
    return all_scores


def read_scores(folder: Path, name: str, shards: Shards, rows: Rows) -> NDArray[np.float32]:
    """Stored scores (n, …) of these pool rows, which are sorted.

    Raises PoolError when a shard was never scored.
    """
    parts = []
    for number, start, count in shards:
        positions = rows[(rows >= start) & (rows < start + count)] - start
        if len(positions):
            parts.append(_map_file(score_file(folder, number, name))[positions])
    return np.concatenate(parts) if parts else np.empty((0, 0), np.float32)


def read_thresholds(folder: Path) -> NDArray[np.float32]:
    """The model's thresholds (k,)."""
    return _map_file(folder / "thresholds.npy")


def _map_file(path: Path) -> NDArray[np.float32]:
    """The memory-mapped array of a file. Raises PoolError when it cannot be read."""
    try:
        array: NDArray[np.float32] = np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise PoolError(
            f"the score file {path} cannot be read ({error}); delete its folder and run "
            "`biasloop tick`: the score step computes it again"
        ) from None
    return array
