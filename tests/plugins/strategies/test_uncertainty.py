"""What the strategies based on uncertainty choose."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import stats

from biasloop.domain.learning import Scores
from biasloop.plugins.registry import Kind, create
from biasloop.plugins.strategies.uncertainty import Bald, border_distance, entropy
from support.made_scores import made_scores

Floats = NDArray[np.float32]
NO_THRESHOLDS = np.zeros(4, np.float32)


def choose(name: str, scores: Scores, n: int, seed: int = 1) -> list[int]:
    chosen: list[int] = create(Kind.STRATEGY, name).choose(scores, n, seed).tolist()
    return chosen


def lowest(values: Floats, n: int) -> list[int]:
    return sorted(np.argsort(values)[:n].tolist())


def test_breaking_ties_chooses_the_smallest_gap_between_the_first_two() -> None:
    scores = made_scores(300, 4, multi=False)
    ordered = np.sort(scores.arrays["proba"], axis=1)
    expected = lowest(ordered[:, -1] - ordered[:, -2], 25)
    assert choose("breaking_ties", scores, 25) == expected
    assert choose("auto", replace(scores, similarity=None), 25) == expected


def test_random_is_uniform() -> None:
    scores = made_scores(10, 2, multi=True)
    n = 2_000
    count = np.zeros(10)
    for seed in range(n):
        count[choose("random", scores, 3, seed)] += 1
    assert np.abs(count / n - 0.3).max() < 5 * (0.3 * 0.7 / n) ** 0.5


def test_ties_for_the_last_places_are_broken_at_random() -> None:
    proba = np.array([[0.5, 0.5], [0.9, 0.1], [0.7, 0.3], [0.7, 0.3], [0.3, 0.7]], np.float32)
    scores = Scores({"proba": proba}, NO_THRESHOLDS[:2], multi=False)
    chosen = [choose("entropy", scores, 2, seed) for seed in range(100)]
    assert {first for first, _ in chosen} == {0}
    assert {second for _, second in chosen} == {2, 3, 4}


# --- entropy --------------------------------------------------------------------------------------

shapes = st.tuples(st.integers(1, 20), st.integers(1, 4))
unit = st.floats(0, 1, width=32)


@given(shapes.flatmap(lambda shape: arrays(np.float32, shape, elements=unit)))
def test_entropy_is_that_of_the_answers(proba: Floats) -> None:
    binary = np.stack([proba, 1 - proba], axis=-1, dtype=float)
    expected = stats.entropy(binary, axis=-1).sum(axis=-1)
    np.testing.assert_allclose(entropy(proba, multi=True), expected, atol=1e-5)
    classes = proba + np.float32(1e-3)
    classes /= classes.sum(axis=1, keepdims=True)
    expected = stats.entropy(classes.astype(float), axis=1)
    np.testing.assert_allclose(entropy(classes, multi=False), expected, atol=1e-5)


@pytest.mark.parametrize("multi", [False, True])
def test_entropy_chooses_the_highest(multi: bool) -> None:
    scores = made_scores(200, 3, multi)
    expected = lowest(-entropy(scores.arrays["proba"], multi), 20)
    assert choose("entropy", scores, 20) == expected


# --- rarity ---------------------------------------------------------------------------------------


def test_doubt_about_a_label_of_few_positives_counts_more() -> None:
    proba = np.array([[0.5, 0.01], [0.01, 0.5], [0.5, 0.5], [0.3, 0.01]], np.float32)
    labels = np.array([[1, 0]] * 9 + [[0, 1]], np.int8)
    labelled = {"proba": np.full((10, 2), 0.5, np.float32)}
    scores = Scores({"proba": proba}, NO_THRESHOLDS[:2], True, labelled, labels)
    assert choose("rarity", scores, 1) == [2]
    assert choose("rarity", scores, 2) == [1, 2]
    assert choose("rarity", scores, 3) == [0, 1, 2]
    flipped = replace(scores, labels=1 - labels)
    assert choose("rarity", flipped, 2) == [0, 2]


def test_unanswered_labels_are_no_positives_and_without_positives_all_weigh_the_same() -> None:
    unlabelled = made_scores(90, 3, multi=True)
    missing = np.full((5, 3), -1, np.int8)
    labelled = {"proba": np.full((5, 3), 0.5, np.float32)}
    for scores in (unlabelled, replace(unlabelled, labels=missing, labelled=labelled)):
        assert choose("rarity", scores, 9) == choose("entropy", scores, 9)


# --- BALD -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("multi", [False, True])
def test_bald_is_0_where_all_agree_and_most_where_sure_ones_contradict(multi: bool) -> None:
    agree = [[0.5, 0.5]] * 4
    doubt = [[0.6, 0.4], [0.4, 0.6]] * 2
    contradict = [[1.0, 0.0], [0.0, 1.0]] * 2
    passes = np.array([agree, doubt, contradict], np.float32)
    worth = Bald().worth(Scores({"passes": passes}, NO_THRESHOLDS[:2], multi))
    times = 2 if multi else 1  # both labels, or one choice between two
    assert worth[0] == pytest.approx(0, abs=1e-6)
    assert 0 < worth[1] < worth[2]
    assert worth[2] == pytest.approx(times * np.log(2), rel=1e-5)


# --- the border -----------------------------------------------------------------------------------


@given(shapes.flatmap(lambda shape: st.tuples(
    arrays(np.float32, shape, elements=unit), arrays(np.float32, shape[1], elements=unit)
)))  # fmt: skip
def test_the_distance_to_the_border(drawn: tuple[Floats, Floats]) -> None:
    proba, thresholds = drawn
    distance = border_distance(proba, thresholds)
    assert distance.shape == proba.shape
    assert np.all((distance >= 0) & (distance <= 1))
    inner = (thresholds > 1e-5) & (thresholds < 1 - 1e-5)
    # On the border 0, at either end of the scale 1, and further away never nearer.
    on_border = border_distance(thresholds[None, :], thresholds)
    assert np.all(on_border[:, inner] == 0)
    for end in (0, 1):
        at_end = border_distance(np.full((1, len(thresholds)), end, np.float32), thresholds)
        assert np.all(at_end[:, inner] == 1)
    closer = thresholds + (proba - thresholds) / 2
    assert np.all(border_distance(closer, thresholds)[:, inner] <= distance[:, inner] + 1e-6)


@given(st.integers(1, 60), st.integers(1, 4), st.integers(0, 999), st.data())
def test_margin_to_border_chooses_the_nearest(
    m: int, k: int, seed: int, data: st.DataObject
) -> None:
    """No item left out has a label nearer to its own threshold than an item chosen."""
    scores = made_scores(m, k, True, seed)
    n = data.draw(st.integers(1, m))
    proba, thresholds = scores.arrays["proba"].astype(float), scores.thresholds
    side = np.where(proba < thresholds, thresholds, 1 - thresholds)
    nearest = (np.abs(proba - thresholds) / side).min(axis=1)
    chosen = choose("margin_to_border", scores, n)
    rest = np.setdiff1d(np.arange(m), chosen)
    if len(rest):
        assert nearest[chosen].max() <= nearest[rest].min() + 1e-6


def test_each_label_has_its_own_border() -> None:
    """0.3 is unsure for a label flagged from 0.3 on, and sure for one flagged from 0.9 on."""
    proba = np.array([[0.3, 0.01], [0.01, 0.3], [0.6, 0.6]], np.float32)
    scores = Scores({"proba": proba}, np.array([0.3, 0.9], np.float32), multi=True)
    assert choose("margin_to_border", scores, 1) == [0]
