"""How sure a figure is: bootstrap intervals that draw roots, not items, because sentences of one
ad are no independent witnesses.

Row 0 of whatever is computed on draws is the sample itself, every other row a resample.
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
CHUNK = 2_000_000
"""Cells (resamples x items) held at a time."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A measured value and the bounds between which LEVEL of the resamples lie."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


def percentile_interval(column: Array, witnesses: int | None = None) -> Interval | None:
    """The percentile interval of one figure, (1 + resamples,), NaN where it was undefined.

    None when the sample itself leaves it undefined, or every resample does. Percentiles are too
    narrow where few roots say anything: given how many do, `witnesses` (at least 2), they are
    taken further out, as Student's t is wider than the normal (expanded percentile interval,
    Hesterberg 2015, "What teachers should know about the bootstrap").
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
    z = NormalDist().inv_cdf(1 - tail)
    t = z + (z**3 + z) / (4 * (n - 1))  # Fisher's expansion of Student's t in n - 1 degrees
    return NormalDist().cdf(-t * math.sqrt(n / (n - 1)))


@dataclass(frozen=True, slots=True)
class Roots:
    """What is drawn: `of_item` (n,) numbers the root of each item, from 0 to `count` - 1."""

    of_item: NDArray[np.int64]
    count: int

    @classmethod
    def from_names(cls, roots: Sequence[str] | NDArray[np.str_]) -> "Roots":
        """From the root of each item, (n,)."""
        distinct, of_item = np.unique(np.asarray(roots, dtype=np.str_), return_inverse=True)
        return cls(of_item, len(distinct))

    @classmethod
    def from_count(cls, n: int) -> "Roots":
        """n items that are witnesses each for itself."""
        return cls(np.arange(n), n)

    def draws(self, seed: int, resamples: int) -> Iterator[Array]:
        """How often each root is drawn, (resamples, count) in chunks; once each, then at random.

        With fewer than two roots there is nothing to resample.
        """
        yield np.ones((1, self.count))
        if self.count < 2:
            return
        rng = np.random.default_rng(seed)
        at_once = max(1, CHUNK // len(self.of_item))
        for start in range(0, resamples, at_once):
            size = min(at_once, resamples - start)
            even = np.full(self.count, 1 / self.count)
            yield rng.multinomial(self.count, even, size=size).astype(np.float64)

    def sums(self, cells: NDArray[Any]) -> Array:
        """Sums over the items of each root, (count, …), of cells (n, …)."""
        found = np.zeros((self.count, *cells.shape[1:]))
        np.add.at(found, self.of_item, cells)
        return found


def mean_interval(values: Array, roots: Sequence[str], seed: int) -> Interval | None:
    """The mean of values (n,), each of which has a root; None where there are none."""
    if not len(values):
        return None
    drawn_from = Roots.from_names(roots)
    sums = drawn_from.sums(np.column_stack([values, np.ones(len(values))]))
    drawn = np.concatenate([draws @ sums for draws in drawn_from.draws(seed, RESAMPLES)])
    return percentile_interval(drawn[:, 0] / drawn[:, 1])
