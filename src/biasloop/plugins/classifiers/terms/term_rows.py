"""The feature rows of the linear classifier: which terms occur in which text.

Only presence is stored, not counts: on sentences it is as good, it needs no numbers on disk, and
the length of a row under any weights can be computed as one more column of the same sum.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse


@dataclass(frozen=True, slots=True)
class TermRows:
    """n rows of `blocks` blocks each; each term belongs to one block and is a column < `width`.

    The terms of block b in row i are indices[ends[i * blocks + b] : ends[i * blocks + b + 1]]:
    `ends` is (n * blocks + 1,) and need not begin with 0; both arrays may be memory-mapped.
    """

    indices: NDArray[np.int32]
    ends: NDArray[np.int64]
    blocks: int
    width: int

    def __len__(self) -> int:
        return (len(self.ends) - 1) // self.blocks

    def __getitem__(self, rows: Any) -> "TermRows":
        """The rows of a slice (which copies nothing), of row numbers or of a mask."""
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            if step == 1:
                ends = self.ends[start * self.blocks : max(start, stop) * self.blocks + 1]
                return TermRows(self.indices, ends, self.blocks, self.width)
        numbers = np.arange(len(self))[rows]
        parts = (numbers[:, None] * self.blocks + np.arange(self.blocks)).ravel()
        starts, lengths = self.ends[parts], self.ends[parts + 1] - self.ends[parts]
        ends = np.concatenate([[0], lengths.cumsum()])
        within = np.arange(ends[-1]) - np.repeat(ends[:-1], lengths)
        indices = np.asarray(self.indices[np.repeat(starts, lengths) + within])
        return TermRows(indices, ends, self.blocks, self.width)

    def presence(self, ones: NDArray[np.float32] | None = None) -> sparse.csr_matrix:
        """A matrix (n * blocks, width) with a row for each block, 1 where the term occurs. If
        `ones` is long enough, the matrix shares it, because making a new array takes time."""
        first, last = int(self.ends[0]), int(self.ends[-1])
        if ones is None or len(ones) < last - first:
            ones = np.ones(last - first, np.float32)
        matrix = sparse.csr_matrix((len(self.ends) - 1, self.width), dtype=np.float32)
        # Not through the constructor, which would check every index again.
        matrix.data, matrix.indices = ones[: last - first], self.indices[first:last]
        matrix.indptr = (self.ends - first).astype(np.int32)
        return matrix


def interleaved(blocks: Sequence[sparse.csr_matrix]) -> TermRows:
    """Joins the blocks (n, width of the block) of n texts; columns follow the order of blocks."""
    lengths = np.stack([np.diff(block.indptr) for block in blocks], axis=1)
    ends = np.concatenate([[0], lengths.ravel().cumsum()]).astype(np.int64)
    indices = np.empty(ends[-1], dtype=np.int32)
    first = 0
    for b, block in enumerate(blocks):
        starts = ends[b : -1 : len(blocks)] - block.indptr[:-1]
        positions = np.repeat(starts, lengths[:, b]) + np.arange(len(block.indices))
        indices[positions] = block.indices + first
        first += block.shape[1]
    return TermRows(indices, ends, len(blocks), first)


def concatenate(parts: Sequence[TermRows]) -> TermRows:
    """Concatenates the rows of all parts, of which there must be at least one."""
    indices = [part.indices[int(part.ends[0]) : int(part.ends[-1])] for part in parts]
    lengths = np.concatenate([np.diff(part.ends) for part in parts])
    ends = np.concatenate([[0], lengths.cumsum()])
    return TermRows(np.concatenate(indices), ends, parts[0].blocks, parts[0].width)
