"""Summarises the runs: learning curves, and the labels that each strategy saves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from biasloop.domain.measure.curve import (
    METRICS,
    Budgets,
    Curves,
    area_under_curve,
    bootstrap_curves,
    labels_saved,
)
from biasloop.domain.measure.resample import LEVEL, Array, Interval, percentile_interval
from biasloop.simulate.grid import BASELINE, Grid
from biasloop.simulate.run import SimulatedRun


@dataclass(frozen=True, slots=True)
class Report:
    """Bootstrapped mean curves by arm; labels saved are measured by `metric`."""

    budgets: Budgets
    metric: str
    curves: Mapping[str, Curves]

    @classmethod
    def from_runs(
        cls, grid: Grid, runs: Mapping[str, Sequence[SimulatedRun]], metric: str | None = None
    ) -> "Report":
        """The report on the runs of a grid, which has one run per seed in every arm. By default
        `metric` is accuracy in a single-label scheme and macro_f1 in a multi-label one."""
        metric = metric or ("macro_f1" if grid.gold.scheme.multi else "accuracy")
        flags = {arm: [run.flags for run in arm_runs] for arm, arm_runs in runs.items()}
        # Seeded by the data set: resamples of two data sets are independent.
        curves = bootstrap_curves(grid.gold.test.labels, flags, seed=int(grid.gold.id, 16))
        return cls(grid.setup.budgets, metric, curves)

    def saved(self, arm: str, metric: str | None = None) -> Array:
        """Labels that an arm saves compared with random, (1 + resamples,); 0 for random itself."""
        if arm == BASELINE:
            return np.zeros(len(self.curves[arm].accuracy))
        metric = metric or self.metric
        random = self.curves[BASELINE].by_metric(metric)
        return labels_saved(self.budgets, self.curves[arm].by_metric(metric), random)

    def figures(self, arm: str) -> dict[str, Interval | None]:
        """An arm's row of the table: its metrics at the full budget, its area and labels saved."""
        curves = self.curves[arm]
        at_end = {
            metric: percentile_interval(curves.by_metric(metric)[:, -1]) for metric in METRICS
        }
        return at_end | {
            "area": percentile_interval(
                area_under_curve(self.budgets, curves.by_metric(self.metric))
            ),
            "labels saved": None if arm == BASELINE else percentile_interval(self.saved(arm)),
        }

    def band(self, arm: str, metric: str) -> tuple[Array, Array, Array]:
        """(mean, low, high) of a curve, each (t,)."""
        curve = self.curves[arm].by_metric(metric)
        tail = (1 - LEVEL) / 2
        low, high = np.nanquantile(curve[1:], (tail, 1 - tail), axis=0)
        return curve[0], low, high

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "metric": self.metric,
            "curves": {arm: self._curves_of_arm(arm) for arm in self.curves},
            "labels_saved": {
                arm: {"at": int(self.budgets[-1])} | _numbers(percentile_interval(self.saved(arm)))
                for arm in self.curves
            },
        }

    def _curves_of_arm(self, arm: str) -> dict[str, Any]:
        curves: dict[str, Any] = {"budgets": self.budgets.tolist()}
        for metric in METRICS:
            names = ("mean", "low", "high")
            bands = zip(names, self.band(arm, metric), strict=True)
            curves[metric] = {name: np.round(curve, 5).tolist() for name, curve in bands}
        return curves | {"area": _numbers(self.figures(arm)["area"])}


def _numbers(estimate: Interval | None) -> dict[str, float | None]:
    if estimate is None:
        return {"mean": None, "low": None, "high": None}
    numbers = {"mean": estimate.value, "low": estimate.low, "high": estimate.high}
    return {name: round(number, 5) for name, number in numbers.items()}
