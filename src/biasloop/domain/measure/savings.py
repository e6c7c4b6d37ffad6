"""Estimates the share of labels that a strategy saves in a campaign, compared with random labels.

The items of the arm `random_train` are drawn from the pool that the strategy chooses from, in the
same rounds. So one model learns from the first b labels that the strategy acquired, another from b
labels of that arm, for increasing b, and both are measured on the same audit items.

The estimate is the saving of this campaign: the score of models that learned from its first b
acquired labels, on ads in general, minus the average score of models that learned from b random
labels. It is uncertain for two reasons: which ads are audited (resampled by root), and which labels
the random arm contains. That another campaign would acquire other labels is not part of it;
`biasloop simulate` repeats entire campaigns.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.measure.curve import Budgets, labels_saved
from biasloop.domain.measure.resample import Array, Interval, percentile_interval

MIN_LABELS = 40
"""Minimum number of labels of each arm for an estimate."""
MIN_WITNESSES = 10
"""Minimum number of audit ads with a positive for an estimate."""
MAX_LABELS = 1000
"""Only this many labels of each arm are used, the first ones."""

Positions = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SavingsPlan:
    """The labels that each model learns from.

    `budgets` (t,) are the points of both curves; they divide B, the last one, evenly. Each row of
    `orders` (draws, B) is a permutation of the random labels; its first b are one draw of b labels.
    """

    budgets: Budgets
    orders: Positions

    @classmethod
    def from_label_count(cls, labels: int, steps: int, draws: int, seed: int) -> "SavingsPlan":
        """A plan for B = `labels`. `steps` must be even, so that B / 2 is one of the budgets."""
        rng = np.random.default_rng(seed)
        orders = np.stack([rng.permutation(labels) for _ in range(draws)])
        return cls(labels * np.arange(1, steps + 1) // steps, orders)

    def acquired(self) -> list[Positions]:
        """The positions of the acquired labels that each of t models learns from."""
        return [np.arange(b) for b in self.budgets]

    def random(self) -> list[Positions]:
        """The positions of the random labels that each of draws * (t - 1) + 1 models learns from:
        for each draw, all budgets but the last; then one model on all B labels, which are the same
        in every draw."""
        parts = [order[:b] for order in self.orders for b in self.budgets[:-1]]
        return [*parts, self.orders[0]]

    def curves(self, scores: Array) -> Array:
        """Arranges the scores (r, models) of the models of `random` as curves (r, draws, t)."""
        draws, t = len(self.orders), len(self.budgets)
        parts = scores[:, :-1].reshape(-1, draws, t - 1)
        last = np.repeat(scores[:, -1:], draws, axis=1)
        return np.concatenate([parts, last[:, :, None]], axis=2)


@dataclass(frozen=True, slots=True)
class Point:
    """Both curves at one number of labels, and their difference, acquired minus random."""

    labels: int
    acquired: Interval
    random: Interval
    difference: Interval


@dataclass(frozen=True, slots=True)
class Savings:
    """Both curves, and the share of labels that is saved (see `curve.labels_saved`).

    `saved` is None if it cannot be read off the curves, and `why` says so.
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
    """Estimates the saving from the scores of the models: `acquired` is (1 + resamples, t), and
    `random` is (1 + resamples, draws, t).

    Row 0 is measured on the audit items themselves, every other row on a resample of their roots.
    `witnesses` is the number of roots that have a positive.
    """
    averaged = _on_average(plan, random, np.random.default_rng(seed))
    points = tuple(
        Point(
            int(b),
            *(
                _defined_interval(column, witnesses)
                for column in (acquired_b, random_b, acquired_b - random_b)
            ),
        )
        for b, acquired_b, random_b in zip(plan.budgets, acquired.T, averaged.T, strict=True)
    )
    if why := _why_not_reached(points):
        return Savings(points, None, why)
    saved = labels_saved(plan.budgets, acquired, averaged)
    defined = np.isfinite(acquired).all(axis=1)  # false for resamples without a positive
    return Savings(points, _defined_interval(np.where(defined, saved, np.nan), witnesses), None)


def _on_average(plan: SavingsPlan, random: Array, rng: np.random.Generator) -> Array:
    """The curve of random labels, averaged over the draws, (1 + resamples, t). In the resamples the
    draws are resampled as well."""
    resamples, draws, _ = random[1:].shape
    resampled = rng.integers(draws, size=(resamples, draws, 1))
    averaged = np.take_along_axis(random[1:], resampled, axis=1).mean(axis=1)
    deviation = rng.normal(0, _sampling_error(plan, random), (resamples, 1))
    return np.vstack([random[:1].mean(axis=1), np.clip(averaged + deviation, 0, 1)])


def _sampling_error(plan: SavingsPlan, random: Array) -> float:
    """The standard deviation of the score of B random labels that comes from which labels were
    drawn.

    The variance between draws of b out of B labels, times b / (B - b), estimates that of all B
    (delete-d jackknife, Shao and Wu 1989, "A general theory for jackknife variance estimation").
    At b = B / 2 the factor is 1. Part of the variance between draws comes from the audit items, and
    the resamples account for it already. It appears twice on resampled items, so twice the variance
    on the items themselves minus the variance on resamples leaves the part of the draws.
    """
    half = len(plan.budgets) // 2 - 1
    b = plan.budgets[half:-1]
    between_draws = random[:, :, half:-1].var(axis=1, ddof=1)
    from_draws = 2 * between_draws[0] - np.nanmean(between_draws[1:], axis=0)
    variance = (from_draws * b / (plan.budgets[-1] - b)).mean()
    return float(np.sqrt(max(0.0, variance)))


def _why_not_reached(points: tuple[Point, ...]) -> str | None:
    """Why a saving would have to be extrapolated; None if it can be read off the curves."""
    last, first = points[-1], points[0]
    if last.difference.value >= 0 and min(p.acquired.value for p in points) >= last.random.value:
        return f"even {first.labels} acquired labels score no less than {last.labels} random ones"
    if last.difference.value < 0 and min(p.random.value for p in points) >= last.acquired.value:
        return f"even {first.labels} random labels score no less than {last.labels} acquired ones"
    return None


def _defined_interval(column: Array, witnesses: int) -> Interval:
    interval = percentile_interval(column, witnesses)
    assert interval is not None, "scores of items with positives are defined"
    return interval
