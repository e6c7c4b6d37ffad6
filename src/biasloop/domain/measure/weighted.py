"""Quality of a classifier on items that were drawn with unequal chances, with intervals.

Each item counts with a weight of one over its inclusion probability, so every figure is that of the
frame from which the items were drawn, whichever model chose the chances. Intervals are by the delta
method: a figure is replaced by the sum of what each item contributes to its error (its influence
times its weight; Woodruff 1971, "A simple method for approximating the variance of a complicated
estimate"), which is summed by root, since sentences of the same ad are not independent. Shares have
their interval on the logit scale. Student's t has as many degrees of freedom as roots contribute to
the error, so an interval that rests on few heavy items is wide.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.label import Labels
from biasloop.domain.measure.metric import (
    MIN_POSITIVES,
    Comparison,
    Flags,
    LabelQuality,
    QualityReport,
)
from biasloop.domain.measure.ranking import average_precision_influence
from biasloop.domain.measure.resample import (
    LEVEL,
    Array,
    Interval,
    Roots,
    log_odds_interval,
    student_quantile,
)

ROUNDING = 1e-9
"""Shares and errors that differ from 0 or 1 by less do so by rounding only."""
MIN_DEGREES = 2.0
"""Least number of degrees of freedom: `student_quantile` is not exact below."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure, what each of n items contributes to its error (n,), and how much it counts in what
    the figure is a share of (n,)."""

    value: float
    errors: Array
    base: Array

    def minus(self, other: "Estimate") -> "Estimate":
        """The difference of two figures on the same items."""
        return Estimate(
            self.value - other.value, self.errors - other.errors, self.base + other.base
        )


def evaluate_weighted(
    truth: Labels,
    proba: NDArray[np.floating],
    flags: Flags,
    roots: Sequence[str] | NDArray[np.str_],
    names: Sequence[str],
    weights: Array,
    *,
    multi: bool,
    min_positives: int = MIN_POSITIVES,
) -> QualityReport:
    """Like metric.evaluate, for items with weights (n,) > 0. A label is measured from
    `min_positives` effective positives on (see `effective_number`)."""
    sample = _Sample(truth, Roots.from_names(roots), weights)
    labels, f1 = {}, []
    for j, name in enumerate(names):
        yes, asked = truth[:, j] == 1, truth[:, j] >= 0
        effective = effective_number(weights[yes])
        cell = LabelQuality(int(yes.sum()), int(asked.sum()), effective=effective)
        if yes.any() and effective >= min_positives:
            f1.append((name, sample.f1(flags, [j])))
            figures = {
                "precision": sample.share(yes & flags[:, j], asked & flags[:, j]),
                "recall": sample.share(yes & flags[:, j], yes),
                "f1": f1[-1][1],
                "average_precision": sample.average_precision(proba[:, j], j),
            }
            intervals: dict[str, Any] = {
                key: share_interval(figures[key], sample.roots) for key in figures
            }
            gap = sample.calibration(proba[:, j], j)
            cell = replace(cell, **intervals, calibration=difference_interval(gap, sample.roots))
        labels[name] = cell
    enough = sample.effective >= min_positives
    return QualityReport(
        labels=labels,
        macro=share_interval(_mean([figure for _, figure in f1]), sample.roots),
        macro_over=tuple(name for name, _ in f1),
        micro=share_interval(sample.micro(flags), sample.roots) if enough else None,
        accuracy=share_interval(sample.accuracy(flags), sample.roots)
        if enough and not multi
        else None,
        n_items=len(truth),
        n_roots=sample.roots.count,
        effective=sample.effective,
    )


def compare_weighted(
    truth: Labels,
    old: Flags,
    new: Flags,
    roots: Sequence[str] | NDArray[np.str_],
    names: Sequence[str],
    weights: Array,
    *,
    multi: bool,
    min_positives: int = MIN_POSITIVES,
) -> Comparison:
    """Like metric.compare, for items with weights (n,) > 0: the differences are paired."""
    sample = _Sample(truth, Roots.from_names(roots), weights)
    enough = [
        j
        for j in range(len(names))
        if (truth[:, j] == 1).any() and effective_number(weights[truth[:, j] == 1]) >= min_positives
    ]
    before = {j: sample.f1(old, [j]) for j in enough}
    after = {j: sample.f1(new, [j]) for j in enough}

    def difference(new_figure: Estimate | None, old_figure: Estimate | None) -> Interval | None:
        if new_figure is None or old_figure is None:
            return None
        return difference_interval(new_figure.minus(old_figure), sample.roots)

    overall = sample.effective >= min_positives
    return Comparison(
        labels={
            name: difference(after[j], before[j]) if j in enough else None
            for j, name in enumerate(names)
        },
        macro=difference(_mean(list(after.values())), _mean(list(before.values()))),
        macro_over=tuple(names[j] for j in enough),
        micro=difference(sample.micro(new), sample.micro(old)) if overall else None,
        accuracy=difference(sample.accuracy(new), sample.accuracy(old))
        if overall and not multi
        else None,
        n_items=len(truth),
        n_roots=sample.roots.count,
    )


def with_rounds_left(report: QualityReport, rounds: int) -> QualityReport:
    """The same with about how many more rounds it takes until labels without figures have enough
    positives, if further rounds bring as many as the `rounds` so far."""

    def with_its_rounds(cell: LabelQuality) -> LabelQuality:
        if cell.f1 is not None or not cell.effective or not rounds:
            return cell
        left = math.ceil(rounds * (MIN_POSITIVES - cell.effective) / cell.effective)
        return replace(cell, rounds_left=max(1, left))

    labels = {name: with_its_rounds(cell) for name, cell in report.labels.items()}
    return replace(report, labels=labels)


def effective_number(weights: Array) -> float:
    """How many items of equal weight are worth as much as these (Kish 1965, "Survey sampling")."""
    return float(weights.sum() ** 2 / (weights**2).sum()) if len(weights) else 0.0


def share_interval(figure: Estimate | None, roots: Roots) -> Interval | None:
    """The interval of a figure between 0 and 1; None if it is undefined, or with fewer than two
    roots.

    A figure of 0 or 1 has no error that the sample could show: its bound is that of Clopper and
    Pearson (1934) for as many roots as effectively count.
    """
    if figure is None or roots.count < 2:
        return None
    error, t = _error(figure, roots)
    value = figure.value if ROUNDING < figure.value < 1 - ROUNDING else float(round(figure.value))
    if error < ROUNDING or value in (0, 1):
        base = roots.sums(figure.base)
        reach = ((1 - LEVEL) / 2) ** (1 / effective_number(base[base > 0]))
        low = reach if value >= 1 else value
        high = 1 - reach if value <= 0 else value
        return Interval(value, min(low, value), max(high, value))
    return log_odds_interval(value, t * error)


def difference_interval(figure: Estimate, roots: Roots) -> Interval | None:
    """The interval of a difference between -1 and 1; None with fewer than two roots."""
    if roots.count < 2:
        return None
    error, t = _error(figure, roots)
    low, high = figure.value - t * error, figure.value + t * error
    return Interval(figure.value, max(-1.0, low), min(1.0, high))


@dataclass(frozen=True, slots=True)
class _Sample:
    truth: Labels
    roots: Roots
    weights: Array

    @property
    def effective(self) -> float:
        """The effective number of positives of all labels together."""
        return effective_number(np.repeat(self.weights, (self.truth == 1).sum(axis=1)))

    def ratio(self, numerator: Array, denominator: Array) -> Estimate | None:
        """Σ w numerator / Σ w denominator, both (n,); None if the denominator is 0."""
        base = self.weights * denominator
        total = base.sum()
        if total <= 0:
            return None
        value = min(1.0, float(self.weights @ numerator / total))  # above it by rounding only
        errors = self.weights * (numerator - value * denominator) / total
        return Estimate(value, errors, base)

    def share(self, hits: NDArray[np.bool_], among: NDArray[np.bool_]) -> Estimate | None:
        return self.ratio(hits.astype(np.float64), among.astype(np.float64))

    def f1(self, flags: Flags, columns: list[int]) -> Estimate | None:
        """The F1 over the cells of some labels; None if none of them is positive."""
        truth, flags = self.truth[:, columns], flags[:, columns]
        yes, flagged = truth == 1, (truth >= 0) & flags
        if not yes.any():
            return None
        hits = 2.0 * (yes & flags).sum(axis=1)
        return self.ratio(hits, flagged.sum(axis=1) + yes.sum(axis=1).astype(np.float64))

    def micro(self, flags: Flags) -> Estimate | None:
        return self.f1(flags, list(range(self.truth.shape[1])))

    def accuracy(self, flags: Flags) -> Estimate | None:
        """The share of items whose class is the flagged one."""
        correct = ((self.truth == 1) & flags).any(axis=1)
        return self.share(correct, np.asarray((self.truth >= 0).any(axis=1)))

    def average_precision(self, proba: NDArray[np.floating], label: int) -> Estimate:
        asked, yes = self.truth[:, label] >= 0, self.truth[:, label] == 1
        errors = np.zeros(len(yes))
        value, influence = average_precision_influence(
            yes[asked], proba[asked], self.weights[asked]
        )
        errors[asked] = influence * self.weights[asked]
        return Estimate(min(1.0, value), errors, self.weights * yes)

    def calibration(self, proba: NDArray[np.floating], label: int) -> Estimate:
        """The mean probability minus the share of positives ("calibration in the large", Cox 1958,
        "Two further applications of a model for binary regression")."""
        asked, yes = self.truth[:, label] >= 0, self.truth[:, label] == 1
        gap = self.ratio(np.where(asked, proba - yes, 0.0), asked.astype(np.float64))
        assert gap is not None  # some item is positive
        return gap


def _mean(figures: Sequence[Estimate | None]) -> Estimate | None:
    known = [figure for figure in figures if figure is not None]
    if not known:
        return None
    return Estimate(
        float(np.mean([figure.value for figure in known])),
        np.mean([figure.errors for figure in known], axis=0),
        np.mean([figure.base for figure in known], axis=0),
    )


def _error(figure: Estimate, roots: Roots) -> tuple[float, float]:
    """The standard error of a figure, and the quantile of Student's t to multiply it with."""
    squares = roots.sums(figure.errors) ** 2
    total = float(squares.sum())
    if total == 0:
        return 0.0, 0.0
    degrees = max(MIN_DEGREES, total**2 / float((squares**2).sum()) - 1)
    error = math.sqrt(total * roots.count / (roots.count - 1))
    return error, student_quantile((1 + LEVEL) / 2, degrees)
