"""Bootstrap intervals that resample roots instead of items, because sentences of the same ad are
not independent.

Row 0 of everything that is computed on draws is the sample itself, every other row a resample.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

RESAMPLES = 1000
LEVEL = 0.95
MAX_CELLS = 2_000_000
"""Maximum number of cells (resamples x items) in memory at a time."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A measured value, and the bounds that contain the share LEVEL of the resamples."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


def percentile_interval(column: Array, witnesses: int | None = None) -> Interval | None:
    """The percentile interval of one figure (1 + resamples,), which is NaN where it is undefined.

    None if it is undefined on the sample itself or on every resample. Percentile intervals are too
    narrow if only few roots are informative. If their number `witnesses` (at least 2) is given, the
    bounds are moved outwards, as Student's t is wider than the normal distribution (expanded
    percentile interval, Hesterberg 2015, "What teachers should know about the bootstrap").
    """
    resampled = column[1:][np.isfinite(column[1:])]
    if not np.isfinite(column[0]) or len(resampled) == 0:
        return None
    tail = (1 - LEVEL) / 2
    if witnesses is not None:
        tail = _expanded(tail, witnesses)
    low, high = np.quantile(resampled, (tail, 1 - tail))
    return Interval(float(column[0]), float(low), float(high))


def _expanded(tail: float, n: int) -> float:
    """The tail probability of the percentiles to use with n observations."""
    z = NormalDist().inv_cdf(1 - tail)
    t = z + (z**3 + z) / (4 * (n - 1))  # Fisher's expansion of Student's t in n - 1 degrees
    return NormalDist().cdf(-t * math.sqrt(n / (n - 1)))


@dataclass(frozen=True, slots=True)
class Roots:
    """The roots to draw from; `of_item` (n,) is the number of each item's root, from 0 on."""

    of_item: NDArray[np.int64]
    count: int

    @classmethod
    def from_names(cls, roots: Sequence[str] | NDArray[np.str_]) -> "Roots":
        """From the name of each item's root, (n,)."""
        distinct, of_item = np.unique(np.asarray(roots, dtype=np.str_), return_inverse=True)
        return cls(of_item, len(distinct))

    @classmethod
    def from_count(cls, n: int) -> "Roots":
        """For n independent items, each a root of its own."""
        return cls(np.arange(n), n)

    def draws(self, seed: int, resamples: int) -> Iterator[Array]:
        """Yields how often each root is drawn, in chunks (r, count): first the sample itself, with
        each root once, then `resamples` random rows.

        With fewer than two roots there are no random rows.
        """
        yield np.ones((1, self.count))
        if self.count < 2:
            return
        rng = np.random.default_rng(seed)
        chunk_size = max(1, MAX_CELLS // len(self.of_item))
        uniform = np.full(self.count, 1 / self.count)
        for start in range(0, resamples, chunk_size):
            size = min(chunk_size, resamples - start)
            yield rng.multinomial(self.count, uniform, size=size).astype(np.float64)

    def sums(self, cells: NDArray[Any]) -> Array:
        """Sums `cells` (n, …) over the items of each root, (count, …)."""
        sums = np.zeros((self.count, *cells.shape[1:]))
        np.add.at(sums, self.of_item, cells)
        return sums


def mean_interval(values: Array, roots: Sequence[str], seed: int) -> Interval | None:
    """The mean of values (n,) with its interval, by the root of each value; None without values."""
    if not len(values):
        return None
    resampled_roots = Roots.from_names(roots)
    sums = resampled_roots.sums(np.column_stack([values, np.ones(len(values))]))
    totals = np.concatenate([draws @ sums for draws in resampled_roots.draws(seed, RESAMPLES)])
    return percentile_interval(totals[:, 0] / totals[:, 1])
