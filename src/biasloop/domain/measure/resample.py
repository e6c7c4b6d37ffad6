"""Bootstrap intervals that resample roots instead of items, because sentences of the same ad are
not independent.

Row 0 of everything that is computed on draws is the sample itself, every other row a resample.
"""

import math
from collections.abc import Callable, Iterator, Sequence
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


def student_quantile(probability: float, degrees: float) -> float:
    """The quantile of Student's t, for at least two degrees of freedom and a probability from 0.5
    on: within 1 % at 0.975, by the expansion of Cornish and Fisher (Abramowitz and Stegun 1964,
    26.7.5)."""
    z = NormalDist().inv_cdf(probability)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / degrees**power for power, term in enumerate(terms, 1))


def log_odds_interval(value: float, half_width: float) -> Interval:
    """The interval of a share that is symmetric in log-odds and has this half-width at `value`."""
    if value >= 1:
        return Interval(1.0, max(0.0, 1 - half_width), 1.0)
    if value <= 0:
        return Interval(0.0, 0.0, min(1.0, half_width))
    center, reach = math.log(value / (1 - value)), half_width / (value * (1 - value))
    return Interval(value, _logistic(center - reach), _logistic(center + reach))


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


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


def bounded_interval(
    sums: Array, figure: Callable[[Array], Array], worst: Array, best: Array, seed: int
) -> Interval | None:
    """The interval of a figure with limits that the sample itself may reach.

    `figure` computes it from totals, (r, k) to (r,); `sums` (count, k) has the sums of each root.
    None if it is undefined, or with fewer than two roots.

    Where no two answers differ, they differ in no resample either: percentiles would say that the
    estimate is certain. Here the roots get random weights (Rubin 1981, "The Bayesian bootstrap"),
    and there is one root more, whose sums (k,) are as bad for the figure as possible for the lower
    bound (`worst`), and as good for the upper one (`best`). For a mean this is Gaffke's interval
    (2005, "Three test statistics for a nonparametric one-sided hypothesis on the mean of a
    nonnegative variable"), and for a share the exact one of Clopper and Pearson (1934).
    """
    count = len(sums)
    value = float(figure(sums.sum(axis=0, keepdims=True))[0]) if count > 1 else math.nan
    if not math.isfinite(value):
        return None
    rng = np.random.default_rng(seed)
    chunk_size = max(1, MAX_CELLS // (count + 1))
    lows, highs = [], []
    for start in range(0, RESAMPLES, chunk_size):
        size = min(chunk_size, RESAMPLES - start)
        weights = rng.standard_exponential((size, count + 1))
        weights *= count / weights.sum(axis=1, keepdims=True)
        totals, one_more = weights[:, :-1] @ sums, weights[:, -1:]
        lows.append(figure(totals + one_more * worst))
        highs.append(figure(totals + one_more * best))
    tail = (1 - LEVEL) / 2
    low = float(np.quantile(np.concatenate(lows), tail))
    high = float(np.quantile(np.concatenate(highs), 1 - tail))
    return Interval(value, min(low, value), max(high, value))


def mean_interval(
    values: Array, roots: Sequence[str], limits: tuple[float, float], seed: int
) -> Interval | None:
    """The mean of values (n,) between two limits with its interval, by the root of each value.

    None without values, and with fewer than two roots.
    """
    if not len(values):
        return None
    sums = Roots.from_names(roots).sums(np.column_stack([values, np.ones(len(values))]))
    n = sums[:, 1].mean()
    worst, best = (np.array([n * limit, n]) for limit in limits)
    return bounded_interval(sums, lambda totals: totals[:, 0] / totals[:, 1], worst, best, seed)
