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
    """Bootstrapped mean curves by arm; labels saved are measured by `metric`.

    `absolute` is the arm of a named baseline, or None: random labels and another classifier.
    `rarest` is the number of the label that the fewest test texts have, `labels` are all of them.
    """

    budgets: Budgets
    metric: str
    curves: Mapping[str, Curves]
    labels: tuple[str, ...]
    rarest: int
    absolute: str | None = None

    @classmethod
    def from_runs(
        cls,
        grid: Grid,
        runs: Mapping[str, Sequence[SimulatedRun]],
        metric: str | None = None,
        baseline: tuple[str, Sequence[SimulatedRun]] | None = None,
    ) -> "Report":
        """The report on the runs of a grid, which has one run per seed in every arm, and on those
        of a named baseline on the same data. By default `metric` is accuracy in a single-label
        scheme and macro_f1 in a multi-label one."""
        scheme, truth = grid.gold.scheme, grid.gold.test.labels
        metric = metric or ("macro_f1" if scheme.multi else "accuracy")
        all_runs = dict(runs) | ({baseline[0]: baseline[1]} if baseline else {})
        flags = {arm: [run.flags for run in arm_runs] for arm, arm_runs in all_runs.items()}
        # Seeded by the data set: resamples of two data sets are independent.
        curves = bootstrap_curves(truth, flags, seed=int(grid.gold.id, 16))
        positives = (truth == 1).sum(axis=0)
        rarest = int(np.where(positives > 0, positives, np.inf).argmin())
        name = baseline[0] if baseline else None
        return cls(grid.setup.budgets, metric, curves, scheme.labels, rarest, name)

    def saved(self, arm: str, metric: str | None = None, against: str = BASELINE) -> Array:
        """Labels that an arm saves compared with another one, by default the same classifier with
        random labels: (1 + resamples,); 0 compared with itself, under whatever name."""
        metric = metric or self.metric
        curve, compared = (self.curves[name].by_metric(metric) for name in (arm, against))
        if np.array_equal(curve, compared, equal_nan=True):
            return np.zeros(len(curve))
        return labels_saved(self.budgets, curve, compared)

    def figures(self, arm: str) -> dict[str, Interval | None]:
        """An arm's row of the table: its metrics at the full budget, the F1 of the rarest label,
        its area, and the labels that it saves."""
        curves = self.curves[arm]
        at_end = {
            metric: percentile_interval(curves.by_metric(metric)[:, -1]) for metric in METRICS
        }
        saved = {"labels saved": BASELINE}
        if self.absolute:
            saved["absolute"] = self.absolute
        return at_end | {
            f"F1 of {self.labels[self.rarest]}": percentile_interval(curves.f1[:, -1, self.rarest]),
            "area": percentile_interval(
                area_under_curve(self.budgets, curves.by_metric(self.metric))
            ),
            **{
                name: None
                if arm in (against, self.absolute)
                else percentile_interval(self.saved(arm, against=against))
                for name, against in saved.items()
            },
        }

    def band(self, arm: str, metric: str) -> tuple[Array, Array, Array]:
        """(mean, low, high) of a curve, each (t,)."""
        curve = self.curves[arm].by_metric(metric)
        tail = (1 - LEVEL) / 2
        low, high = np.nanquantile(curve[1:], (tail, 1 - tail), axis=0)
        return curve[0], low, high

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        arms = [arm for arm in self.curves if arm != self.absolute]
        return {
            "metric": self.metric,
            "rarest_label": self.labels[self.rarest],
            "curves": {arm: self._curves_of_arm(arm) for arm in self.curves},
            "labels_saved": self._saved_by_arm(arms, BASELINE, self.metric),
            "absolute": self.absolute
            and {
                "baseline": self.absolute,
                **{m: self._saved_by_arm(arms, self.absolute, m) for m in METRICS},
            },
        }

    def _saved_by_arm(self, arms: Sequence[str], against: str, metric: str) -> dict[str, Any]:
        return {
            arm: {"at": int(self.budgets[-1])}
            | _numbers(percentile_interval(self.saved(arm, metric, against)))
            for arm in arms
        }

    def _curves_of_arm(self, arm: str) -> dict[str, Any]:
        curves: dict[str, Any] = {"budgets": self.budgets.tolist()}
        for metric in METRICS:
            names = ("mean", "low", "high")
            bands = zip(names, self.band(arm, metric), strict=True)
            curves[metric] = {name: np.round(curve, 5).tolist() for name, curve in bands}
        f1 = percentile_interval(self.curves[arm].f1[:, -1, self.rarest])
        return curves | {"rarest_f1": _numbers(f1), "area": _numbers(self.figures(arm)["area"])}


def _numbers(estimate: Interval | None) -> dict[str, float | None]:
    if estimate is None:
        return {"mean": None, "low": None, "high": None}
    numbers = {"mean": estimate.value, "low": estimate.low, "high": estimate.high}
    return {name: round(number, 5) for name, number in numbers.items()}
