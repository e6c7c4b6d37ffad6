"""Labels saved match their definition; curves match scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score

from biasloop.domain.measure.curve import METRICS, area_under_curve, bootstrap_curves, labels_saved
from biasloop.domain.measure.resample import percentile_interval

Curve = NDArray[np.float64]

STEPS = 8
BUDGETS = 25 * np.arange(1, STEPS + 1)

# A few levels only, so that ties and plateaus are common.
curves = st.lists(st.integers(0, 6), min_size=STEPS, max_size=STEPS).map(
    lambda levels: np.array(levels) / 6
)


def by_definition(strategy: Curve, random: Curve) -> float:
    """As in the docstring: the first budget from which a curve stays at or above a score."""
    last = BUDGETS[-1]

    def first(curve: Curve, score: float) -> int:
        return min(int(b) for i, b in enumerate(BUDGETS) if (curve[i:] >= score).all())

    if strategy[-1] >= random[-1]:
        return float(1 - first(strategy, random[-1]) / last)
    return float(-(1 - first(random, strategy[-1]) / last))


def saved(strategy: Curve, random: Curve) -> float:
    return float(labels_saved(BUDGETS, strategy, random))


@given(curves, curves)
def test_labels_saved_matches_its_definition(strategy: Curve, random: Curve) -> None:
    assert saved(strategy, random) == by_definition(strategy, random)


@given(curves)
def test_a_rising_curve_saves_nothing_against_itself(levels: Curve) -> None:
    rising = np.cumsum(levels + 0.1)
    assert saved(rising, rising) == 0


@given(curves, curves)
def test_what_one_saves_the_other_loses(one: Curve, other: Curve) -> None:
    if one[-1] != other[-1]:
        assert saved(one, other) == -saved(other, one)


@given(curves, curves, curves)
def test_a_better_strategy_never_saves_less(strategy: Curve, gain: Curve, random: Curve) -> None:
    assert saved(strategy + gain, random) >= saved(strategy, random)
    assert saved(strategy, random + gain) <= saved(strategy, random)


@given(curves, curves)
def test_only_the_order_of_scores_counts(strategy: Curve, random: Curve) -> None:
    assert saved(np.exp(3 * strategy), np.exp(3 * random)) == saved(strategy, random)


def test_labels_saved_by_hand() -> None:
    random = np.arange(STEPS) / 8
    assert saved(random + 0.25, random) == 0.25  # two steps of eight
    assert saved(random - 0.25, random) == -0.25
    dips = random + 0.25
    dips[-2] = 0.5
    assert saved(dips, random) == 0  # reached early, but it did not stay


def test_labels_saved_on_many_curves_at_once() -> None:
    rng = np.random.default_rng(0)
    strategy, random = rng.integers(0, 5, (2, 3, 4, STEPS)) / 4
    saved_labels = labels_saved(BUDGETS, strategy, random)
    assert saved_labels.shape == (3, 4)
    assert saved_labels[2, 1] == by_definition(strategy[2, 1], random[2, 1])


def test_area_is_the_mean_height() -> None:
    assert area_under_curve(BUDGETS, np.full(STEPS, 0.7)) == pytest.approx(0.7)
    assert area_under_curve(BUDGETS, np.linspace(0, 1, STEPS)) == pytest.approx(0.5)
    assert area_under_curve(BUDGETS[:1], np.array([0.4])) == 0.4


# --- bootstrap --------------------------------------------------------------------------------

N, K = 60, 3


def truth_and_runs(rng: np.random.Generator, seeds: int) -> tuple[NDArray[np.int8], list[Curve]]:
    classes = rng.integers(K, size=N)
    truth = (classes[:, None] == np.arange(K)).astype(np.int8)
    guesses = np.where(rng.random((seeds, STEPS, N)) < 0.7, classes, rng.integers(K, size=N))
    return truth, list(guesses[..., None] == np.arange(K))


def test_the_first_row_is_the_measurement() -> None:
    truth, runs = truth_and_runs(np.random.default_rng(0), 3)
    curves = bootstrap_curves(truth, {"one": runs}, seed=0, resamples=50)["one"]
    assert curves.accuracy.shape == curves.macro_f1.shape == (51, STEPS)
    classes = truth.argmax(axis=1)
    for step in range(STEPS):
        guesses = [run[step].argmax(axis=1) for run in runs]
        accuracy = np.mean([accuracy_score(classes, guess) for guess in guesses])
        macro_f1 = np.mean([f1_score(classes, guess, average="macro") for guess in guesses])
        assert curves.accuracy[0, step] == pytest.approx(accuracy)
        assert curves.macro_f1[0, step] == pytest.approx(macro_f1)


def test_strategies_are_paired() -> None:
    truth, runs = truth_and_runs(np.random.default_rng(1), 4)
    curves_by_name = bootstrap_curves(truth, {"one": runs, "same": runs}, seed=0, resamples=50)
    for metric in METRICS:
        np.testing.assert_array_equal(
            curves_by_name["one"].by_metric(metric), curves_by_name["same"].by_metric(metric)
        )
    assert np.ptp(curves_by_name["one"].accuracy[1:, 0]) > 0


def test_seeds_and_items_both_count() -> None:
    rng = np.random.default_rng(2)
    truth, runs = truth_and_runs(rng, 1)

    def width(runs: list[Curve], rows: NDArray[np.int8]) -> float:
        final = percentile_interval(
            bootstrap_curves(rows, {"one": runs}, seed=0)["one"].accuracy[:, -1]
        )
        assert final is not None
        return final.high - final.low

    one_seed = width(runs, truth)  # the items alone
    assert one_seed > 0
    more_items = width([np.tile(runs[0], (1, 9, 1))], np.tile(truth, (9, 1)))
    assert more_items == pytest.approx(one_seed / 3, rel=0.3)
    perfect = np.broadcast_to(truth == 1, runs[0].shape)
    assert width([runs[0], perfect], truth) > one_seed  # the seeds disagree


def test_a_label_that_no_item_has_does_not_count() -> None:
    truth = np.array([[1, 0], [1, 0], [0, 0]], np.int8)
    flags = np.ones((1, 3, 2), bool)
    curves = bootstrap_curves(truth, {"one": [flags]}, seed=0, resamples=20)["one"]
    assert np.isnan(curves.f1[:, :, 1]).all()
    assert curves.macro_f1[0, 0] == pytest.approx(0.8)
    assert curves.accuracy[0, 0] == 0  # every label has to be right
