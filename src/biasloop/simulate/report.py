"""What the runs come to: learning curves, and the labels that each strategy saves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from biasloop.domain.measure.curve import METRICS, Budgets, Curves, area, bootstrap, labels_saved
from biasloop.domain.measure.resample import LEVEL, Array, Interval, interval
from biasloop.simulate.grid import BASELINE, Grid
from biasloop.simulate.run import SimulatedRun


@dataclass(frozen=True, slots=True)
class Report:
    """Bootstrapped mean curves by arm; `metric` is what labels saved are counted by."""

    budgets: Budgets
    metric: str
    curves: Mapping[str, Curves]

    @classmethod
    def from_runs(
        cls, grid: Grid, runs: Mapping[str, Sequence[SimulatedRun]], metric: str | None = None
    ) -> "Report":
        """Of the runs of a grid, a run per seed in every arm. By default labels saved are counted
        by accuracy in a single-label scheme and by macro_f1 in a multi-label one."""
        metric = metric or ("macro_f1" if grid.gold.scheme.multi else "accuracy")
        flags = {arm: [run.flags for run in of_arm] for arm, of_arm in runs.items()}
        # Resamples of two data sets have nothing to do with each other.
        curves = bootstrap(grid.gold.test.labels, flags, seed=int(grid.gold.id, 16))
        return cls(grid.setup.budgets, metric, curves)

    def saved(self, arm: str, metric: str | None = None) -> Array:
        """Labels saved by an arm, (1 + resamples,). Random is what the others are measured by: it
        saves nothing against itself, by definition."""
        if arm == BASELINE:
            return np.zeros(len(self.curves[arm].accuracy))
        metric = metric or self.metric
        random = self.curves[BASELINE].of(metric)
        return labels_saved(self.budgets, self.curves[arm].of(metric), random)

    def figures(self, arm: str) -> dict[str, Interval | None]:
        """For the table: what an arm reaches at the budget, its area and what it saves."""
        curves = self.curves[arm]
        at_end = {metric: interval(curves.of(metric)[:, -1]) for metric in METRICS}
        return at_end | {
            "area": interval(area(self.budgets, curves.of(self.metric))),
            "labels saved": None if arm == BASELINE else interval(self.saved(arm)),
        }

    def band(self, arm: str, metric: str) -> tuple[Array, Array, Array]:
        """(mean, low, high) of a curve, each (t,)."""
        found = self.curves[arm].of(metric)
        tail = (1 - LEVEL) / 2
        low, high = np.nanquantile(found[1:], (tail, 1 - tail), axis=0)
        return found[0], low, high

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "metric": self.metric,
            "curves": {arm: self._curves(arm) for arm in self.curves},
            "labels_saved": {
                arm: {"at": int(self.budgets[-1])} | _numbers(interval(self.saved(arm)))
                for arm in self.curves
            },
        }

    def _curves(self, arm: str) -> dict[str, Any]:
        found: dict[str, Any] = {"budgets": self.budgets.tolist()}
        for metric in METRICS:
            names = ("mean", "low", "high")
            bands = zip(names, self.band(arm, metric), strict=True)
            found[metric] = {name: np.round(curve, 5).tolist() for name, curve in bands}
        return found | {"area": _numbers(self.figures(arm)["area"])}


def _numbers(found: Interval | None) -> dict[str, float | None]:
    if found is None:
        return {"mean": None, "low": None, "high": None}
    numbers = {"mean": found.value, "low": found.low, "high": found.high}
    return {name: round(number, 5) for name, number in numbers.items()}
