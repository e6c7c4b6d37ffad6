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

    def require_sound(self) -> None:
        """Raises ValueError unless every term is a column and every block a range of the terms.

        Sums over other rows would read outside of the arrays and crash the process.
        """
        indices, ends = self.indices, self.ends
        if indices.ndim != 1 or indices.dtype != np.dtype(np.int32):
            raise ValueError("the terms are not a list of 32-bit numbers")
        if ends.ndim != 1 or ends.dtype != np.dtype(np.int64):
            raise ValueError("the ends are not a list of 64-bit numbers")
        if len(ends) % self.blocks != 1 % self.blocks:
            raise ValueError(f"{len(ends)} ends are not those of rows of {self.blocks} blocks")
        if ends[0] < 0 or ends[-1] > len(indices) or (ends[:-1] > ends[1:]).any():
            raise ValueError(f"the ends do not ascend from 0 to {len(indices)}")
        if len(indices) and not 0 <= indices.min() <= indices.max() < self.width:
            raise ValueError(f"a term is not among the {self.width} of the encoder")

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

    def compact(self) -> tuple["TermRows", NDArray[np.intp]]:
        """The same rows with only the columns that occur in them, and the old numbers of these
        columns, ascending."""
        first, last = int(self.ends[0]), int(self.ends[-1])
        indices = self.indices[first:last]
        occurs = np.zeros(self.width, np.bool_)
        occurs[indices] = True
        columns = np.flatnonzero(occurs)
        new = np.empty(self.width, np.int32)
        new[columns] = np.arange(len(columns), dtype=np.int32)
        return TermRows(new[indices], self.ends - first, self.blocks, len(columns)), columns

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
