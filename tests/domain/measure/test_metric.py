"""Evaluation: figures match scikit-learn, and properties hold on any data."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    precision_score,
    recall_score,
)

from biasloop.domain.measure.metric import compare, evaluate, flag_labels, micro_f1
from biasloop.domain.measure.resample import Interval


def noisy(seed, n, k, per_root=3, missing=0.0):
    """Truth, probabilities that correlate with it, roots and names."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((n, k)) < rng.uniform(0.1, 0.6, k)).astype(np.int8)
    proba = np.round(0.4 * truth + 0.6 * rng.random((n, k)), 2)  # rounded: with ties
    truth[rng.random((n, k)) < missing] = -1
    roots = np.array([f"r{i // per_root}" for i in range(n)])
    return truth, proba, roots, [f"l{j}" for j in range(k)]


def report(truth, proba, roots, names, multi=True, **kwargs):
    flags = flag_labels(proba, np.full(len(names), 0.5), multi)
    return flags, evaluate(
        truth, proba, flags, roots, names, multi=multi, seed=1, **{"resamples": 50} | kwargs
    )


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_scikit_learn(seed):
    truth, proba, roots, names = noisy(seed, 300, 4)
    flags, quality = report(truth, proba, roots, names, min_positives=1)
    for j, name in enumerate(names):
        cell = quality.labels[name]
        assert cell.n == truth[:, j].sum()
        assert cell.precision.value == pytest.approx(precision_score(truth[:, j], flags[:, j]))
        assert cell.recall.value == pytest.approx(recall_score(truth[:, j], flags[:, j]))
        assert cell.f1.value == pytest.approx(f1_score(truth[:, j], flags[:, j]))
        expected = average_precision_score(truth[:, j], proba[:, j])
        assert cell.average_precision.value == pytest.approx(expected)
    assert quality.macro.value == pytest.approx(f1_score(truth, flags, average="macro"))
    assert quality.micro.value == pytest.approx(f1_score(truth, flags, average="micro"))
    assert quality.accuracy is None


@pytest.mark.parametrize("seed", range(3))
def test_single_label_agrees_with_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 3, 400)
    truth = np.eye(3, dtype=np.int8)[classes]
    proba = rng.dirichlet([1, 1, 1], 400) + 0.3 * truth
    proba /= proba.sum(axis=1, keepdims=True)
    roots = np.arange(400).astype(str)
    _, quality = report(truth, proba, roots, ["a", "b", "c"], multi=False)
    predicted = proba.argmax(axis=1)
    assert quality.accuracy.value == pytest.approx(accuracy_score(classes, predicted))
    assert quality.macro.value == pytest.approx(f1_score(classes, predicted, average="macro"))


def test_items_not_asked_are_left_out_of_their_label_only():
    truth, proba, roots, names = noisy(3, 400, 3, missing=0.3)
    flags, quality = report(truth, proba, roots, names)
    for j, name in enumerate(names):
        asked = truth[:, j] >= 0
        cell = quality.labels[name]
        assert cell.asked == asked.sum()
        assert cell.f1.value == pytest.approx(f1_score(truth[asked, j], flags[asked, j]))
        expected = average_precision_score(truth[asked, j], proba[asked, j])
        assert cell.average_precision.value == pytest.approx(expected)


def test_every_resample_is_what_scikit_learn_measures_on_the_drawn_items():
    truth, proba, roots, names = noisy(5, 40, 1, per_root=2)
    _, quality = report(truth, proba, roots, names, min_positives=1, resamples=200)
    rng = np.random.default_rng(1)
    values = []
    for drawn in rng.multinomial(20, np.full(20, 1 / 20), size=200):
        # np.unique sorts the roots by name, and numbers them so.
        times = dict(zip(np.unique(roots), drawn, strict=True))
        rows = np.repeat(np.arange(40), [times[root] for root in roots])
        values.append(average_precision_score(truth[rows, 0], proba[rows, 0]))
    low, high = np.quantile(values, (0.025, 0.975))
    assert quality.labels["l0"].average_precision.low == pytest.approx(low)
    assert quality.labels["l0"].average_precision.high == pytest.approx(high)


def test_labels_with_too_few_positives_have_no_figures():
    truth, proba, roots, names = noisy(7, 300, 2)
    truth[:, 1] = 0
    truth[:29, 1] = 1
    _, quality = report(truth, proba, roots, names)
    cell = quality.labels["l1"]
    assert str(cell) == "too few (29)"
    assert (cell.n, cell.f1, cell.average_precision) == (29, None, None)
    assert quality.macro_over == ("l0",)
    assert quality.macro == quality.labels["l0"].f1


def test_precision_is_unknown_when_nothing_is_flagged():
    truth, _, roots, names = noisy(1, 300, 1)
    _, quality = report(truth, np.zeros((300, 1)), roots, names)
    cell = quality.labels["l0"]
    assert cell.precision is None
    assert cell.recall.value == cell.f1.value == 0


@pytest.mark.parametrize("n", [0, 1, 40])
def test_fewer_than_two_roots_give_no_figures(n):
    truth, proba, _, names = noisy(0, n, 2)
    _, quality = report(truth, proba, np.full(n, "only"), names, min_positives=1)
    assert quality.macro is quality.micro is None
    assert quality.n_items == n


def test_intervals_widen_when_items_of_a_root_are_alike():
    truth, proba, _, names = noisy(11, 200, 1)
    rows = np.repeat(np.arange(200), 5)
    apart = np.arange(1000).astype(str)
    together = rows.astype(str)
    widths = []
    for roots in (apart, together):
        _, quality = report(truth[rows], proba[rows], roots, names, resamples=400)
        widths.append(quality.micro.high - quality.micro.low)
    assert widths[1] > 1.5 * widths[0]


def test_the_interval_has_its_nominal_coverage():
    covered = []
    for seed in range(150):
        truth, proba, _, names = noisy(0, 6000, 1)  # the population
        real = f1_score(truth, proba >= 0.5)
        drawn = np.random.default_rng(seed).choice(2000, 100)
        rows = (3 * drawn[:, None] + np.arange(3)).ravel()
        ids = np.repeat(np.arange(100), 3).astype(str)
        _, quality = report(truth[rows], proba[rows], ids, names, resamples=200)
        covered.append(quality.micro.low <= real <= quality.micro.high)
    assert 0.88 <= np.mean(covered) <= 0.99


@given(
    st.integers(0, 2**16),
    st.integers(2, 60),
    st.integers(1, 3),
    st.integers(1, 4),
    st.floats(0, 0.5),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_any_report_is_in_bounds_seeded_and_json(seed, n, k, per_root, missing, multi):
    truth, proba, roots, names = noisy(seed, n, k, per_root, missing)
    _, quality = report(truth, proba, roots, names, multi, min_positives=1)
    _, again = report(truth, proba, roots, names, multi, min_positives=1)
    assert quality == again
    text = json.dumps(quality.as_dict(), allow_nan=False)
    assert json.loads(text)["labels"].keys() == set(names)
    measured = [m for c in quality.labels.values() for m in (c.precision, c.recall, c.f1)]
    for interval in [*measured, quality.macro, quality.micro, quality.accuracy]:
        if interval is not None:
            assert 0 <= interval.value <= 1
            assert 0 <= interval.low <= interval.high <= 1


@given(st.integers(0, 2**16), st.integers(4, 60))
@settings(max_examples=30, deadline=None)
def test_a_comparison_is_paired_and_antisymmetric(seed, n):
    truth, proba, roots, names = noisy(seed, n, 2)
    old, new = proba >= 0.5, proba >= 0.3
    settings_ = {"multi": True, "seed": 2, "resamples": 50, "min_positives": 1}
    same = compare(truth, old, old, roots, names, **settings_)
    there = compare(truth, old, new, roots, names, **settings_)
    back = compare(truth, new, old, roots, names, **settings_)
    json.dumps(there.as_dict(), allow_nan=False)
    for equal, gain, loss in (
        (same.micro, there.micro, back.micro),
        (same.macro, there.macro, back.macro),
    ):
        if gain is not None:
            assert equal == Interval(0, 0, 0)
            assert gain.value == pytest.approx(-loss.value)
            assert gain.low == pytest.approx(-loss.high)


def test_a_comparison_is_the_difference_of_two_reports():
    truth, proba, roots, names = noisy(2, 600, 3)
    worse = proba.copy()
    worse[::4] = 0.5
    good, better = report(truth, proba, roots, names)
    bad, lesser = report(truth, worse, roots, names)
    comparison = compare(truth, bad, good, roots, names, multi=True, seed=1, resamples=200)
    assert comparison.macro.value == pytest.approx(better.macro.value - lesser.macro.value)
    assert comparison.macro.low > 0
    own = (better.macro.high - better.macro.low) + (lesser.macro.high - lesser.macro.low)
    assert comparison.macro.high - comparison.macro.low < own


def test_flags_by_threshold_or_by_the_class_that_exceeds_its_threshold_most():
    proba = np.array([[0.5, 0.2, 0.3], [0.4, 0.4, 0.2]])
    thresholds = np.array([0.5, 0.1, 0.4])
    assert flag_labels(proba, thresholds, True).tolist() == [
        [True, True, False],
        [False, True, False],
    ]
    assert flag_labels(proba, thresholds, False).tolist() == [[False, True, False]] * 2
    without = np.zeros(3)
    assert flag_labels(proba, without, False).tolist() == [[True, False, False]] * 2


def test_many_models_get_the_same_scores_as_each_alone():
    truth, proba, roots, names = noisy(4, 300, 3, missing=0.2)
    flags = [flag_labels(proba, np.full(3, at), multi=True) for at in (0.3, 0.5, 0.7)]
    scores = micro_f1(truth, flags, roots, seed=1, resamples=50)
    assert scores.shape == (51, 3)
    for column, each in zip(scores.T, flags, strict=True):
        alone = evaluate(truth, proba, each, roots, names, multi=True, seed=1, resamples=50).micro
        bounds = np.quantile(column[1:], (0.025, 0.975))
        assert (alone.value, alone.low, alone.high) == pytest.approx((column[0], *bounds))


def test_without_a_positive_there_is_no_micro_f1():
    nothing = np.zeros((6, 2), np.int8)
    scores = micro_f1(nothing, [nothing == 0], list("aabbcc"), seed=0, resamples=5)
    assert np.isnan(scores).all()


@pytest.mark.parametrize("multi", [True, False])
@pytest.mark.parametrize(("positives", "shown"), [(2, False), (29, False), (30, True)])
def test_no_figure_over_all_labels_is_shown_below_the_gate_of_positives(
    multi: bool, positives: int, shown: bool
) -> None:
    """A page once showed micro F1 0.00 [0.00, 0.00], measured on two positives."""
    rows = 60 if multi else positives
    truth = np.zeros((rows, 2), np.int8)
    truth[np.arange(positives), np.arange(positives) % 2] = 1
    proba, roots = np.full((rows, 2), 0.2), [str(row) for row in range(rows)]
    flags, settings = flag_labels(proba, np.full(2, 0.5), multi), {"multi": multi, "seed": 0}
    quality = evaluate(truth, proba, flags, roots, ("a", "b"), **settings)
    change = compare(truth, flags, flags, roots, ("a", "b"), **settings)
    for figures in (quality, change):
        assert (figures.micro is not None) == shown
        assert (figures.accuracy is not None) == (shown and not multi)
