"""Learning curves, and the labels that a strategy saves.

A curve says how good a model is after b labels, b = budgets[0] … budgets[-1] = B. Curves are the
last axis of an array, which may have any axes before it. In bootstrapped curves row 0 is the
measurement itself, and every other row is a resample (see `resample`), so that a figure is computed
on all rows at once and `percentile_interval` takes its bounds from them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.label import Labels
from biasloop.domain.measure.resample import RESAMPLES, Array, Roots

Flags = NDArray[np.bool_]
Budgets = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Curves:
    """Mean curves of one strategy over its seeds, for t budgets, k labels and R resamples.

    `accuracy` (1 + R, t) is the share of items with every label correct; `f1` (1 + R, t, k) is NaN
    where no item has the label.
    """

    accuracy: Array
    f1: Array

    @property
    def macro_f1(self) -> Array:
        """Mean F1 over the labels that at least one item has, (1 + R, t)."""
        n_labels = np.isfinite(self.f1).sum(axis=-1)
        total = np.nansum(self.f1, axis=-1)
        return np.asarray(np.where(n_labels > 0, total / np.maximum(n_labels, 1), np.nan))

    def by_metric(self, metric: str) -> Array:
        """The curves of a metric in METRICS, (1 + R, t)."""
        curves: Array = getattr(self, metric)
        return curves


METRICS = ("accuracy", "macro_f1")


def bootstrap_curves(
    truth: Labels,
    runs: Mapping[str, Sequence[Flags]],
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> dict[str, Curves]:
    """Mean curves by strategy, resampled over seeds and test items.

    `truth` (n, k) is 0 or 1. `runs` holds the runs of each strategy, one per seed, in the same
    order for every strategy; a run is the flags on the test items after each budget, (t, n, k). The
    resamples are paired: all strategies are measured on the same draws of seeds and items, so that
    the difficulty of a seed or an item cancels out of their differences.
    """
    n_seeds = len(next(iter(runs.values())))
    drawn = np.random.default_rng([seed, n_seeds]).multinomial(
        n_seeds, np.full(n_seeds, 1 / n_seeds), size=resamples
    )
    shares = np.vstack([np.ones(n_seeds), drawn]).astype(np.float64) / n_seeds
    chunks: dict[str, list[Curves]] = {name: [] for name in runs}
    for items in Roots.from_count(len(truth)).draws(seed, resamples):
        seed_shares, shares = shares[: len(items)], shares[len(items) :]
        for name, strategy_runs in runs.items():
            chunks[name].append(_mean_curves(truth, strategy_runs, items, seed_shares))
    return {
        name: Curves(
            np.concatenate([chunk.accuracy for chunk in strategy_chunks]),
            np.concatenate([chunk.f1 for chunk in strategy_chunks]),
        )
        for name, strategy_chunks in chunks.items()
    }


def _mean_curves(truth: Labels, runs: Sequence[Flags], items: Array, shares: Array) -> Curves:
    """Averages runs, with the `shares` (r, seeds) of the seeds in each resample as weights."""
    accuracy, f1 = 0.0, 0.0
    for share, flags in zip(shares.T, runs, strict=True):
        measured = measure_curves(truth, flags, items)
        accuracy = accuracy + share[:, None] * measured.accuracy
        f1 = f1 + share[:, None, None] * measured.f1
    return Curves(np.asarray(accuracy), np.asarray(f1))


def measure_curves(truth: Labels, flags: Flags, items: Array) -> Curves:
    """Measures one run (t, n, k) on r resamples; `items` (r, n) says how often each item counts."""
    counts = items.astype(np.float32)  # whole numbers, exact below 2**24, and twice as fast
    yes = truth == 1
    correct = (flags == yes).all(axis=-1)
    return Curves(
        accuracy=_sums(counts, correct) / counts.sum(axis=1, keepdims=True),
        f1=np.stack([_f1(yes[:, j], flags[..., j], counts) for j in range(yes.shape[1])], axis=-1),
    )


def _f1(yes: Flags, flags: Flags, counts: NDArray[np.float32]) -> Array:
    positive = _sums(counts, yes[None, :])
    hit, flagged = _sums(counts[:, yes], flags[:, yes]), _sums(counts, flags)
    f1: Array = np.full(hit.shape, np.nan)
    np.divide(2 * hit, flagged + positive, out=f1, where=positive > 0)
    return f1


def _sums(counts: NDArray[np.float32], flags: Flags) -> Array:
    """Number of flagged items in each resample, (r, t), for flags (t, n)."""
    return np.asarray(counts @ flags.T.astype(np.float32), dtype=np.float64)


def labels_saved(budgets: Budgets, strategy: Array, random: Array) -> Array:
    """The share of labels that a strategy saves compared with random labels, (…), in [-1, 1].

    If the strategy's curve ends at or above the random curve, it is 1 - b/B, where b is the first
    budget from which the strategy stays at or above the end of the random curve. Otherwise it is
    -(1 - b'/B), where b' is the first budget from which the random curve stays at or above the end
    of the strategy's curve.
    """
    ahead = strategy[..., -1] >= random[..., -1]
    saved = 1 - _reached(budgets, strategy, random[..., -1:]) / budgets[-1]
    lost = 1 - _reached(budgets, random, strategy[..., -1:]) / budgets[-1]
    return np.where(ahead, saved, -lost) + 0.0  # no -0.0


def _reached(budgets: Budgets, curve: Array, goal: Array) -> Budgets:
    """The first budget from which the curve stays at or above the goal. The last point of the curve
    must reach the goal."""
    below = curve < goal
    n_reaching = below[..., ::-1].argmax(axis=-1)  # at the end of the curve
    first = np.where(below.any(axis=-1), below.shape[-1] - n_reaching, 0)
    reached: Budgets = budgets[np.minimum(first, len(budgets) - 1)]
    return reached


def area_under_curve(budgets: Budgets, curve: Array) -> Array:
    """Area under the curve, divided by the distance from the first to the last budget, (…)."""
    if len(budgets) == 1:
        return curve[..., 0]
    mean_height: Array = np.trapezoid(curve, budgets, axis=-1) / (budgets[-1] - budgets[0])
    return mean_height
