"""Figures on items drawn with unequal chances: values, intervals, gates."""

import json

import numpy as np
import pytest
from benchmarks.audit import Population, simulate_audits
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from biasloop.domain.measure.design import UNIFORM_PART, audit_sizes
from biasloop.domain.measure.metric import compare, evaluate, flag_labels
from biasloop.domain.measure.ranking import average_precision, average_precision_influence
from biasloop.domain.measure.resample import Interval, Roots
from biasloop.domain.measure.weighted import (
    Estimate,
    compare_weighted,
    effective_number,
    evaluate_weighted,
    share_interval,
    with_rounds_left,
)


def noisy(seed, n, k, per_root=3, missing=0.0):
    """Truth, probabilities that correlate with it, flags, roots and names."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((n, k)) < rng.uniform(0.1, 0.6, k)).astype(np.int8)
    proba = np.round(0.4 * truth + 0.6 * rng.random((n, k)), 2)  # rounded: with ties
    truth[rng.random((n, k)) < missing] = -1
    roots = np.array([f"r{i // per_root}" for i in range(n)])
    return truth, proba, proba >= 0.5, roots, [f"l{j}" for j in range(k)]


def values(report):
    """Every figure of a report or comparison, by name."""
    cells = {
        (name, figure): getattr(cell, figure)
        for name, cell in report.labels.items()
        for figure in ("precision", "recall", "f1", "average_precision")
        if not isinstance(cell, Interval | None)
    }
    cells |= {
        (name, "difference"): cell
        for name, cell in report.labels.items()
        if isinstance(cell, Interval)
    }
    cells |= {name: getattr(report, name) for name in ("macro", "micro", "accuracy")}
    return {name: interval and interval.value for name, interval in cells.items()}


@given(st.integers(0, 2**16), st.booleans())
@settings(max_examples=30, deadline=None)
def test_a_weight_of_two_counts_like_two_items(seed, multi):
    truth, proba, _, roots, names = noisy(seed, 60, 3, missing=0.2)
    flags = flag_labels(proba, np.full(3, 0.5), multi)
    other = flag_labels(proba, np.full(3, 0.3), multi)
    times = np.random.default_rng(seed).integers(1, 4, len(truth))
    rows = np.repeat(np.arange(len(truth)), times)
    how = {"multi": multi, "min_positives": 1}
    weighted = evaluate_weighted(truth, proba, flags, roots, names, 0.5 * times, **how)
    repeated = evaluate(
        truth[rows], proba[rows], flags[rows], roots[rows], names, seed=0, resamples=2, **how
    )
    assert values(weighted) == pytest.approx(values(repeated))
    change = compare_weighted(truth, flags, other, roots, names, 0.5 * times, **how)
    repeated = compare(
        truth[rows], flags[rows], other[rows], roots[rows], names, seed=0, resamples=2, **how
    )
    assert values(change) == pytest.approx(values(repeated))


@given(st.integers(0, 2**16))
@settings(max_examples=30, deadline=None)
def test_the_influence_on_average_precision_is_its_derivative(seed):
    truth, proba, *_ = noisy(seed, 40, 1)
    yes, p = truth[:, 0] == 1, proba[:, 0]
    if not yes.any():
        return
    weights = np.random.default_rng(seed).uniform(0.5, 3, 40)
    value, influence = average_precision_influence(yes, p, weights)
    assert value == pytest.approx(average_precision(yes, p, weights[None, :])[0])
    step = 1e-6
    moved = average_precision(yes, p, weights + step * np.eye(40))
    assert influence == pytest.approx((moved - value) / step, abs=1e-5)
    assert weights @ influence == pytest.approx(0, abs=1e-9)  # only ratios of weights matter


@given(st.integers(0, 2**16), st.integers(0, 50), st.integers(1, 3), st.booleans())
@settings(max_examples=60, deadline=None)
def test_any_report_is_in_bounds_and_json(seed, n, per_root, multi):
    truth, proba, flags, roots, names = noisy(seed, n, 3, per_root, missing=0.3)
    weights = np.random.default_rng(seed).uniform(1, 100, n)
    how = {"multi": multi, "min_positives": 1}
    quality = evaluate_weighted(truth, proba, flags, roots, names, weights, **how)
    change = compare_weighted(truth, flags, ~flags, roots, names, weights, **how)
    json.dumps([quality.as_dict(), change.as_dict()], allow_nan=False)
    measured = [
        getattr(cell, name)
        for cell in quality.labels.values()
        for name in ("precision", "recall", "f1", "average_precision")
    ]
    for interval in [*measured, quality.macro, quality.micro, quality.accuracy]:
        if interval is not None:
            assert 0 <= interval.low <= interval.value <= interval.high <= 1
    for interval in [*change.labels.values(), change.macro, change.micro, change.accuracy]:
        if interval is not None:
            assert -1 <= interval.low <= interval.value <= interval.high <= 1


def test_the_gate_is_on_effective_positives():
    """60 positives of which one weighs as much as the others together are worth four."""
    truth = np.zeros((100, 1), np.int8)
    truth[:60] = 1
    proba, roots = truth * 0.5 + 0.2, np.arange(100).astype(str)
    equal = evaluate_weighted(truth, proba, truth == 1, roots, ["l"], np.full(100, 7.0), multi=True)
    assert equal.labels["l"].effective == pytest.approx(60)
    assert equal.labels["l"].f1 is not None
    weights = np.ones(100)
    weights[0] = 59
    few = evaluate_weighted(truth, proba, truth == 1, roots, ["l"], weights, multi=True)
    assert few.labels["l"].n == 60
    assert few.labels["l"].effective == pytest.approx(118**2 / (59**2 + 59))
    assert few.labels["l"].f1 is few.macro is few.micro is None
    later = with_rounds_left(few, rounds=2).labels["l"]
    assert later.rounds_left == 14  # two rounds brought 3.9 of 30
    assert str(later) == "too few (60), enough after about 14 more rounds"
    assert with_rounds_left(few, rounds=0).labels["l"].rounds_left is None
    assert with_rounds_left(equal, rounds=2).labels["l"].rounds_left is None


def test_a_share_without_a_mistake_has_the_exact_bound():
    roots = Roots.from_count(20)
    right = Estimate(1.0, np.zeros(20), np.ones(20))
    interval = share_interval(right, roots)
    assert interval.low == pytest.approx(beta.ppf(0.025, 20, 1))
    assert interval.high == 1
    none = share_interval(Estimate(0.0, np.zeros(20), np.ones(20)), roots)
    assert none.high == pytest.approx(beta.ppf(0.975, 1, 20))
    heavy = share_interval(Estimate(1.0, np.zeros(20), np.array([50.0] + 19 * [1])), roots)
    assert heavy.low < interval.low
    assert share_interval(right, Roots(np.zeros(20, np.int64), 1)) is None


def test_calibration_is_that_of_the_frame_however_unequal_the_chances():
    rng = np.random.default_rng(3)
    risk = rng.beta(1, 6, 20_000)
    proba = np.clip(risk + 0.05, 0, 1)
    truth = (rng.random(20_000) < risk).astype(np.int8)
    gap = float(np.mean(proba - truth))
    chance = np.clip(0.08 * risk / risk.mean(), 0.01, 1)
    held = []
    for _ in range(200):
        rows = np.flatnonzero(rng.random(20_000) < chance)
        report = evaluate_weighted(
            truth[rows, None],
            proba[rows, None],
            proba[rows, None] >= 0.5,
            rows.astype(str),
            ["age"],
            1 / chance[rows],
            multi=True,
        )
        calibration = report.labels["age"].calibration
        held.append(calibration.low <= gap <= calibration.high)
    assert np.mean(held) > 0.9
    assert gap == pytest.approx(0.05, abs=0.005)


def test_intervals_widen_when_items_of_a_root_are_alike():
    truth, proba, flags, _, names = noisy(11, 200, 1)
    rows = np.repeat(np.arange(200), 5)
    weights = np.random.default_rng(0).uniform(1, 3, 200)[rows]
    widths = []
    for roots in (np.arange(1000).astype(str), rows.astype(str)):
        quality = evaluate_weighted(
            truth[rows], proba[rows], flags[rows], roots, names, weights, multi=True
        )
        widths.append(quality.micro.high - quality.micro.low)
    assert widths[1] > 1.5 * widths[0]


def test_a_comparison_with_itself_is_certain():
    truth, _, flags, roots, names = noisy(1, 200, 2)
    same = compare_weighted(truth, flags, flags, roots, names, np.ones(200), multi=True)
    assert same.micro == same.macro == Interval(0, 0, 0)


@pytest.mark.parametrize("labels", [1, 3])
def test_chances_by_the_model_that_is_judged_halve_the_error(labels):
    """A small part of benchmarks.audit: 5 %, a good model."""
    population = Population.make(0.05, 0.95, labels, seed=1)
    uniform, present = (
        simulate_audits([population], source, campaigns=120, labels=200, seed=0)
        for source in ("uniform", "present")
    )
    assert present.rms < (0.6 if labels == 1 else 0.9) * uniform.rms
    for outcome in (uniform, present):
        assert outcome.coverage(0)[0] > 0.9
    assert abs(np.nanmean(present.error)) < 4 * present.rms / np.sqrt(present.error.size)


def test_chances_are_equal_as_far_as_a_model_tells_nothing():
    rng = np.random.default_rng(0)
    flat = rng.uniform(0.049, 0.051, (1000, 2))
    sizes = audit_sizes(flat, flat >= 0.0509)
    assert sizes == pytest.approx(np.ones(1000), rel=0.05)
    assert audit_sizes(np.zeros((5, 1)), np.zeros((5, 1), bool)).tolist() == [1] * 5
    assert len(audit_sizes(np.empty((0, 2)), np.empty((0, 2), bool))) == 0
    sure = (rng.random((1000, 1)) < 0.05).astype(np.float64)
    sure[:10] = np.nan  # a cascade left them out
    sizes = audit_sizes(sure, sure >= 0.5)
    assert sizes.min() >= UNIFORM_PART * (1 - 1e-9)
    assert sizes.mean() == pytest.approx(1, rel=0.02)
    assert np.isfinite(sizes).all()
    assert sizes[sure[:, 0] == 1].min() > 5 * sizes[sure[:, 0] == 0].max()


def test_the_effective_number_of_items():
    assert effective_number(np.array([])) == 0
    assert effective_number(np.full(7, 3.0)) == pytest.approx(7)
    assert effective_number(np.array([1.0, 0.0, 0.0])) == 1
