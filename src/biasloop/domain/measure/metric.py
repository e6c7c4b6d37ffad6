"""Quality of a classifier on labelled items, with intervals.

Intervals resample roots (see `resample`). Cells of a label matrix that are MISSING (-1) are
ignored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.label import Labels
from biasloop.domain.measure.ranking import average_precision
from biasloop.domain.measure.resample import RESAMPLES, Array, Interval, Roots, percentile_interval

Flags = NDArray[np.bool_]

FIGURES = ("precision", "recall", "f1", "average_precision")
"""The figures of a label."""
MIN_POSITIVES = 30
"""A label with fewer positives is reported as "too few" (R7)."""


@dataclass(frozen=True, slots=True)
class LabelQuality:
    """Quality for one label, which has `n` positives among the `asked` items.

    All figures are None if there are too few positives; precision also if nothing was flagged. With
    weights, the positives are worth as much as `effective` ones of equal weight; `rounds_left` is
    about how many more rounds it takes until they are enough (None: they are, or it is not known),
    and `calibration` is the mean probability minus the share of positives.
    """

    n: int
    asked: int
    precision: Interval | None = None
    recall: Interval | None = None
    f1: Interval | None = None
    average_precision: Interval | None = None
    calibration: Interval | None = None
    effective: float | None = None
    rounds_left: int | None = None

    def __str__(self) -> str:
        if self.f1 is not None:
            return f"F1 {self.f1} (n={self.n})"
        left = self.rounds_left
        later = f", enough after about {left} more round{'s'[: left > 1]}" if left else ""
        return f"too few ({self.n}){later}"


@dataclass(frozen=True, slots=True)
class QualityReport:
    """The quality of one model on one set of items.

    `macro` is the mean F1 over the labels in `macro_over`, those with enough positives; `micro` is
    the F1 over the cells of all labels; `accuracy` is the share of correct classes in a
    single-label scheme. A figure is None if it cannot be measured on these items, or if the labels
    that it is about have too few positives together. `effective` is how many positives of equal
    weight those of all labels are worth, where items have weights.
    """

    labels: Mapping[str, LabelQuality]
    macro: Interval | None
    macro_over: tuple[str, ...]
    micro: Interval | None
    accuracy: Interval | None
    n_items: int
    n_roots: int
    effective: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON: without NaN; None where a figure is missing."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The new model's figures minus the old model's, on the same items and resamples."""

    labels: Mapping[str, Interval | None]
    macro: Interval | None
    macro_over: tuple[str, ...]
    micro: Interval | None
    accuracy: Interval | None
    n_items: int
    n_roots: int

    def as_dict(self) -> dict[str, Any]:
        """For JSON: without NaN; None where a difference is missing."""
        return asdict(self)


def flag_labels(
    proba: NDArray[np.floating], thresholds: NDArray[np.floating], multi: bool
) -> Flags:
    """Decides which labels are flagged, (n, k): those whose probability >= threshold. In a
    single-label scheme it is the class whose probability is the highest multiple of its threshold,
    the first one in a tie; there a threshold of 0 counts as 1."""
    if multi:
        return np.asarray(proba >= thresholds)
    multiples = proba / np.where(thresholds > 0, thresholds, 1)
    return np.asarray(multiples.argmax(axis=1)[:, None] == np.arange(proba.shape[1]))


def evaluate(
    truth: Labels,
    proba: NDArray[np.floating],
    flags: Flags,
    roots: Sequence[str] | NDArray[np.str_],
    names: Sequence[str],
    *,
    multi: bool,
    seed: int,
    min_positives: int = MIN_POSITIVES,
    resamples: int = RESAMPLES,
) -> QualityReport:
    """Measures quality on n items: `truth`, `proba` and `flags` are (n, k), `roots` is (n,), and
    `names` (k,).

    With fewer than two roots nothing can be resampled, and every figure is None.
    """
    sample = _Sample.from_arrays(truth, roots, names, min_positives)
    resampled = sample.roots.draws(seed, resamples)
    m = _Measures.concatenate([_measure(sample, draws, flags, proba) for draws in resampled])
    labels = {}
    for j, name in enumerate(sample.names):
        n, asked = int((truth[:, j] == 1).sum()), int((truth[:, j] >= 0).sum())
        columns = {figure: getattr(m, figure)[:, j] for figure in FIGURES if j in sample.enough}
        intervals: dict[str, Any] = {key: percentile_interval(columns[key]) for key in columns}
        labels[name] = replace(LabelQuality(n, asked), **intervals)
    return QualityReport(
        labels=labels,
        macro=percentile_interval(m.macro),
        macro_over=tuple(sample.names[j] for j in sample.enough),
        micro=sample.overall(m.micro),
        accuracy=None if multi else sample.overall(m.accuracy),
        n_items=len(truth),
        n_roots=sample.roots.count,
    )


def compare(
    truth: Labels,
    old: Flags,
    new: Flags,
    roots: Sequence[str] | NDArray[np.str_],
    names: Sequence[str],
    *,
    multi: bool,
    seed: int,
    min_positives: int = MIN_POSITIVES,
    resamples: int = RESAMPLES,
) -> Comparison:
    """Compares the flags (n, k) of two models on the same items; above 0, `new` is better.

    The resamples are paired: both models are measured on the same draws, so that the difficulty of
    an item cancels out.
    """
    sample = _Sample.from_arrays(truth, roots, names, min_positives)
    pairs = [
        (_measure(sample, draws, old), _measure(sample, draws, new))
        for draws in sample.roots.draws(seed, resamples)
    ]
    before = _Measures.concatenate([pair[0] for pair in pairs])
    after = _Measures.concatenate([pair[1] for pair in pairs])
    f1 = after.f1 - before.f1
    return Comparison(
        labels={
            name: percentile_interval(f1[:, j]) if j in sample.enough else None
            for j, name in enumerate(sample.names)
        },
        macro=percentile_interval(after.macro - before.macro),
        macro_over=tuple(sample.names[j] for j in sample.enough),
        micro=sample.overall(after.micro - before.micro),
        accuracy=None if multi else sample.overall(after.accuracy - before.accuracy),
        n_items=len(truth),
        n_roots=sample.roots.count,
    )


def micro_f1(
    truth: Labels,
    flags: Sequence[Flags],
    roots: Sequence[str] | NDArray[np.str_],
    *,
    seed: int,
    resamples: int = RESAMPLES,
    weights: Array | None = None,
) -> Array:
    """The F1 over all cells of each of m models, on the same resamples.

    `flags` holds the flags (n, k) of each model, `weights` (n,) how much each item counts. Returns
    (1 + resamples, m); NaN where no cell is positive.
    """
    sample_roots, yes, asked = Roots.from_names(roots), truth == 1, truth >= 0
    weight = np.ones((len(truth), 1)) if weights is None else weights[:, None]
    hit = sample_roots.sums(
        weight * np.stack([(yes & model_flags).sum(axis=1) for model_flags in flags], axis=1)
    )
    flagged = sample_roots.sums(
        weight * np.stack([(asked & model_flags).sum(axis=1) for model_flags in flags], axis=1)
    )
    positive = sample_roots.sums(weight * yes.sum(axis=1, keepdims=True))
    chunks = [
        _ratio(
            2 * (draws @ hit),
            draws @ (flagged + positive),
            where=np.tile(draws @ positive > 0, len(flags)),
        )
        for draws in sample_roots.draws(seed, resamples)
    ]
    return np.concatenate(chunks)


@dataclass(frozen=True, slots=True)
class _Sample:
    """Labelled items; `enough` are the numbers of the labels with enough positives to report."""

    truth: Labels
    roots: Roots
    names: tuple[str, ...]
    enough: tuple[int, ...]
    min_positives: int

    @classmethod
    def from_arrays(
        cls,
        truth: Labels,
        roots: Sequence[str] | NDArray[np.str_],
        names: Sequence[str],
        min_positives: int,
    ) -> "_Sample":
        enough = np.flatnonzero((truth == 1).sum(axis=0) >= max(1, min_positives)).tolist()
        return cls(truth, Roots.from_names(roots), tuple(names), tuple(enough), min_positives)

    def overall(self, column: Array) -> Interval | None:
        """A figure over all labels, (1 + r,); None if they have too few positives together."""
        enough = (self.truth == 1).sum() >= self.min_positives
        return percentile_interval(column) if enough else None


@dataclass(frozen=True, slots=True)
class _Measures:
    """Figures; row 0 is the sample itself, every other row a resample; NaN where undefined."""

    precision: Array
    recall: Array
    f1: Array
    average_precision: Array
    macro: Array
    micro: Array
    accuracy: Array

    @classmethod
    def concatenate(cls, chunks: Sequence["_Measures"]) -> "_Measures":
        return cls(
            *(np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in cls.__slots__)
        )


def _measure(
    sample: _Sample, draws: Array, flags: Flags, proba: NDArray[np.floating] | None = None
) -> _Measures:
    yes, asked = sample.truth == 1, sample.truth >= 0
    hit = draws @ sample.roots.sums(yes & flags)
    flagged = draws @ sample.roots.sums(asked & flags)
    positive = draws @ sample.roots.sums(yes)
    measurable = draws @ sample.roots.sums(np.asarray(asked.any(axis=1)))
    correct = draws @ sample.roots.sums(np.asarray((yes & flags).any(axis=1)))
    f1 = _ratio(2 * hit, flagged + positive, where=positive > 0)
    enough = list(sample.enough)
    areas = np.full_like(f1, np.nan)
    if proba is not None:
        for j in enough:
            rows = asked[:, j]
            weights = draws[:, sample.roots.of_item[rows]]
            areas[:, j] = average_precision(yes[rows, j], proba[rows, j], weights)
    return _Measures(
        precision=_ratio(hit, flagged),
        recall=_ratio(hit, positive),
        f1=f1,
        average_precision=areas,
        macro=f1[:, enough].mean(axis=1) if enough else np.full(len(draws), np.nan),
        micro=_ratio(
            2 * hit.sum(axis=1),
            (flagged + positive).sum(axis=1),
            where=positive.sum(axis=1) > 0,
        ),
        accuracy=_ratio(correct, measurable),
    )


def _ratio(numerator: Array, denominator: Array, where: Flags | None = None) -> Array:
    where = denominator > 0 if where is None else where
    return np.divide(numerator, denominator, out=np.full_like(numerator, np.nan), where=where)
