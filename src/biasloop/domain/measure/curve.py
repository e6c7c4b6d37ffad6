"""Learning curves, and the labels that a strategy saves.

A curve says how good the model is after b labels, b = budgets[0] … budgets[-1] = B; curves stand
in the last axis of an array, whatever axes go before. Bootstrapped curves hold in row 0 what was
measured and in every other row a resample (see domain.resample), so that a figure is computed on
all rows at once and `resample.interval` reads its bounds off them.
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
    """The mean over the seeds of one strategy; t budgets, k labels, R resamples.

    `accuracy` is (1 + R, t), the share of items with every label right; `f1` is (1 + R, t, k), NaN
    where no item has the label.
    """

    accuracy: Array
    f1: Array

    @property
    def macro_f1(self) -> Array:
        """Mean F1 over the labels that some item has, (1 + R, t)."""
        known = np.isfinite(self.f1).sum(axis=-1)
        total = np.nansum(self.f1, axis=-1)
        return np.asarray(np.where(known > 0, total / np.maximum(known, 1), np.nan))

    def by_metric(self, metric: str) -> Array:
        """The curves of one of METRICS, (1 + R, t)."""
        found: Array = getattr(self, metric)
        return found


METRICS = ("accuracy", "macro_f1")


def bootstrap_curves(
    truth: Labels,
    runs: Mapping[str, Sequence[Flags]],
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> dict[str, Curves]:
    """Mean curves by strategy, resampled over seeds and test items.

    `truth` is (n, k) of 0 and 1. `runs` holds a run per seed, in the same order for every
    strategy; a run is what was flagged on the test items after each budget, (t, n, k). Paired:
    all strategies are measured on the same draws of seeds and items, so that what makes a seed or
    an item hard cancels out of their differences.
    """
    n_seeds = len(next(iter(runs.values())))
    drawn = np.random.default_rng([seed, n_seeds]).multinomial(
        n_seeds, np.full(n_seeds, 1 / n_seeds), size=resamples
    )
    shares = np.vstack([np.ones(n_seeds), drawn]).astype(np.float64) / n_seeds
    parts: dict[str, list[Curves]] = {name: [] for name in runs}
    for items in Roots.from_count(len(truth)).draws(seed, resamples):
        of_seeds, shares = shares[: len(items)], shares[len(items) :]
        for name, of_strategy in runs.items():
            parts[name].append(_mean(truth, of_strategy, items, of_seeds))
    return {
        name: Curves(
            np.concatenate([part.accuracy for part in found]),
            np.concatenate([part.f1 for part in found]),
        )
        for name, found in parts.items()
    }


def _mean(truth: Labels, runs: Sequence[Flags], items: Array, shares: Array) -> Curves:
    accuracy, f1 = 0.0, 0.0
    for share, flags in zip(shares.T, runs, strict=True):
        measured = measure_curves(truth, flags, items)
        accuracy = accuracy + share[:, None] * measured.accuracy
        f1 = f1 + share[:, None, None] * measured.f1
    return Curves(np.asarray(accuracy), np.asarray(f1))


def measure_curves(truth: Labels, flags: Flags, items: Array) -> Curves:
    """One run, (t, n, k), measured with every item counted as often as `items`, (r, n), says."""
    counts = items.astype(np.float32)  # whole numbers, exact below 2**24, and twice as fast
    yes = truth == 1
    right = (flags == yes).all(axis=-1)
    return Curves(
        accuracy=_sums(counts, right) / counts.sum(axis=1, keepdims=True),
        f1=np.stack([_f1(yes[:, j], flags[..., j], counts) for j in range(yes.shape[1])], axis=-1),
    )


def _f1(yes: Flags, flags: Flags, counts: NDArray[np.float32]) -> Array:
    positive = _sums(counts, yes[None, :])
    hit, flagged = _sums(counts[:, yes], flags[:, yes]), _sums(counts, flags)
    found: Array = np.full(hit.shape, np.nan)
    np.divide(2 * hit, flagged + positive, out=found, where=positive > 0)
    return found


def _sums(counts: NDArray[np.float32], flags: Flags) -> Array:
    """Flagged items of each resample, (r, t), for flags (t, n)."""
    return np.asarray(counts @ flags.T.astype(np.float32), dtype=np.float64)


def labels_saved(budgets: Budgets, strategy: Array, random: Array) -> Array:
    """The share of labels that a strategy saves against random, of shape (…), in [-1, 1].

    Where the strategy's curve ends at or above random's: 1 - b/B, b being the first budget from
    which it stays at or above random's end. Where it ends below: -(1 - b'/B), b' being the first
    budget from which random's curve stays at or above the strategy's end.
    """
    ahead = strategy[..., -1] >= random[..., -1]
    saved = 1 - _reached(budgets, strategy, random[..., -1:]) / budgets[-1]
    lost = 1 - _reached(budgets, random, strategy[..., -1:]) / budgets[-1]
    return np.where(ahead, saved, -lost) + 0.0  # no -0.0


def _reached(budgets: Budgets, curve: Array, goal: Array) -> Budgets:
    """The first budget from which the curve stays at or above the goal (its end does)."""
    below = curve < goal
    steps_held = below[..., ::-1].argmax(axis=-1)
    first = np.where(below.any(axis=-1), below.shape[-1] - steps_held, 0)
    found: Budgets = budgets[np.minimum(first, len(budgets) - 1)]
    return found


def area_under_curve(budgets: Budgets, curve: Array) -> Array:
    """The mean height of the curve between its first and its last budget, of shape (…)."""
    if len(budgets) == 1:
        return curve[..., 0]
    found: Array = np.trapezoid(curve, budgets, axis=-1) / (budgets[-1] - budgets[0])
    return found
