"""What the strategy's choice of labels has saved in a campaign, against drawing them at random.

The arm `random_train` is drawn from the pool that the strategy chooses from, in the same rounds.
So one model learns from the first b labels that the strategy acquired, another from b labels of
that arm, for growing b, and both are measured on the same audit items.

Estimated is this campaign's own saving: how models on its first b acquired labels score on ads at
large, minus what b labels drawn at random score on average. Two chances make that uncertain: which
ads are audited (resampled by root) and which labels the random arm happens to hold. What another
campaign would acquire is a third, and no part of it; `biasloop simulate` repeats whole campaigns.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.measure.curve import Budgets, labels_saved
from biasloop.domain.measure.resample import Array, Interval, percentile_interval

MIN_LABELS = 40
"""Labels of each arm below which nothing is estimated."""
MIN_WITNESSES = 10
"""Audit ads with a positive below which nothing is estimated."""
MAX_LABELS = 1000
"""Labels of each arm that are looked at: the first."""

Positions = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SavingsPlan:
    """Which labels the models learn from.

    `budgets` (t,) are the points of both curves, even parts of B, the last. Each row of `orders`,
    (draws, B), is an order of the random labels, whose first b are one draw of b labels.
    """

    budgets: Budgets
    orders: Positions

    @classmethod
    def from_label_count(cls, labels: int, steps: int, draws: int, seed: int) -> "SavingsPlan":
        """For B = `labels`; an even number of `steps`, so that half of the labels is among them."""
        rng = np.random.default_rng(seed)
        orders = np.stack([rng.permutation(labels) for _ in range(draws)])
        return cls(labels * np.arange(1, steps + 1) // steps, orders)

    def acquired(self) -> list[Positions]:
        """The acquired labels of each of t models."""
        return [np.arange(b) for b in self.budgets]

    def random(self) -> list[Positions]:
        """The random labels of each of draws * (t - 1) + 1 models: each draw's but the last, which
        is the same for all draws, and that one."""
        parts = [order[:b] for order in self.orders for b in self.budgets[:-1]]
        return [*parts, self.orders[0]]

    def curves(self, scores: Array) -> Array:
        """Scores (r, models) of the models of `random` as curves, (r, draws, t)."""
        draws, t = len(self.orders), len(self.budgets)
        parts = scores[:, :-1].reshape(-1, draws, t - 1)
        whole = np.repeat(scores[:, -1:], draws, axis=1)
        return np.concatenate([parts, whole[:, :, None]], axis=2)


@dataclass(frozen=True, slots=True)
class Point:
    """Both curves at one number of labels, and by how much the acquired ones are ahead."""

    labels: int
    acquired: Interval
    random: Interval
    difference: Interval


@dataclass(frozen=True, slots=True)
class Savings:
    """Both curves, and the share of labels that is saved: 1 - b/B, b being the first number of
    acquired labels that score at or above all B random ones from there on (see curve.labels_saved).

    `saved` is None while one curve does not reach what the other ends at, and `why` says so.
    """

    points: tuple[Point, ...]
    saved: Interval | None
    why: str | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def estimate_savings(
    plan: SavingsPlan, acquired: Array, random: Array, witnesses: int, seed: int
) -> Savings:
    """From scores of the models: `acquired` (1 + resamples, t), `random` (1 + resamples, draws, t).

    Row 0 is measured on the audit items themselves, every other row on a resample of their roots,
    of which `witnesses` hold a positive.
    """
    averaged = _on_average(plan, random, np.random.default_rng(seed))
    points = tuple(
        Point(
            int(b),
            *(_sure(c, witnesses) for c in (of_acquired, of_random, of_acquired - of_random)),
        )
        for b, of_acquired, of_random in zip(plan.budgets, acquired.T, averaged.T, strict=True)
    )
    if why := _unreached(points):
        return Savings(points, None, why)
    saved = labels_saved(plan.budgets, acquired, averaged)
    defined = np.isfinite(acquired).all(axis=1)  # not so where no positive was drawn
    return Savings(points, _sure(np.where(defined, saved, np.nan), witnesses), None)


def _on_average(plan: SavingsPlan, random: Array, rng: np.random.Generator) -> Array:
    """The curve of random labels, averaged over the draws: (1 + resamples, t)."""
    resamples, draws, _ = random[1:].shape
    again = rng.integers(draws, size=(resamples, draws, 1))
    averaged = np.take_along_axis(random[1:], again, axis=1).mean(axis=1)
    luck = rng.normal(0, _luck(plan, random), (resamples, 1))
    return np.vstack([random[:1].mean(axis=1), np.clip(averaged + luck, 0, 1)])


def _luck(plan: SavingsPlan, random: Array) -> float:
    """How much (standard deviation) all B random labels score by the luck of their draw.

    The variance between draws of b out of B labels, times b / (B - b), estimates that of all B
    (delete-d jackknife, Shao and Wu 1989, "A general theory for jackknife variance estimation").
    At half of the labels the factor is 1. Some of what lies between draws comes of the audit items
    and is in the resamples already; resampled items show it twice, so twice the variance on the
    items themselves less that on resamples leaves the draws' own.
    """
    half = len(plan.budgets) // 2 - 1
    b = plan.budgets[half:-1]
    between = random[:, :, half:-1].var(axis=1, ddof=1)
    own = (2 * between[0] - np.nanmean(between[1:], axis=0)) * b / (plan.budgets[-1] - b)
    return float(np.sqrt(max(0.0, own.mean())))


def _unreached(points: tuple[Point, ...]) -> str | None:
    """Why a saving would have to be extrapolated; None when it can be read off the curves."""
    last, first = points[-1], points[0]
    if last.difference.value >= 0 and min(p.acquired.value for p in points) >= last.random.value:
        return f"even {first.labels} acquired labels score no less than {last.labels} random ones"
    if last.difference.value < 0 and min(p.random.value for p in points) >= last.acquired.value:
        return f"even {first.labels} random labels score no less than {last.labels} acquired ones"
    return None


def _sure(column: Array, witnesses: int) -> Interval:
    found = percentile_interval(column, witnesses)
    assert found is not None, "scores of items with positives are defined"
    return found
