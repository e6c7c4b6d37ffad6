"""fisher: the greedy choice is exact, and covers the frequent unknown groups first."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from biasloop.domain.learning import Scores
from biasloop.errors import ConfigError
from biasloop.plugins.registry import Kind, create
from biasloop.plugins.strategies.fisher import information, least_variance
from biasloop.plugins.strategies.own import unit
from support.made_scores import made_scores


def choose(scores: Scores, n: int, seed: int = 1) -> list[int]:
    chosen: list[int] = create(Kind.STRATEGY, "fisher").choose(scores, n, seed).tolist()
    return chosen


@given(st.integers(1, 25), st.integers(1, 25), st.integers(2, 30), st.integers(0, 999))
def test_each_pick_leaves_the_least_variance(c: int, t: int, dims: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((c + t, dims))
    covariance = points @ points.T
    noise, weight = rng.uniform(2, 6, c), rng.random(t)
    n = int(rng.integers(1, c + 1))
    picked = least_variance(
        covariance[:c].astype(np.float32), noise.astype(np.float32), weight.astype(np.float32), n
    )
    assert len(set(picked.tolist())) == n

    def remaining_variance(j: int) -> float:
        lowered = covariance[c:, j] ** 2 / (noise[j] + covariance[j, j])
        return float(weight @ (covariance.diagonal()[c:] - lowered))

    for step, j in enumerate(picked):
        others = np.setdiff1d(np.arange(c), picked[:step])
        assert remaining_variance(j) <= min(map(remaining_variance, others)) + 1e-3 * max(
            1.0, weight @ covariance.diagonal()[c:]
        )
        gain = covariance[:, j] / np.sqrt(noise[j] + covariance[j, j])
        covariance = covariance - np.outer(gain, gain)


def grouped_scores(groups: NDArray[np.int64], labelled: NDArray[np.int64]) -> Scores:
    """Candidates and labelled items in groups of similar items; the model is unsure of all."""
    all_groups = np.concatenate([groups, labelled])
    rng = np.random.default_rng(0)
    points = unit(
        np.eye(groups.max() + 1)[all_groups]
        + 0.1 * rng.standard_normal((len(all_groups), groups.max() + 1))
    )
    proba = np.full((len(all_groups), 2), 0.5, np.float32)
    m = len(groups)
    return Scores(
        {"proba": proba[:m]},
        np.zeros(2, np.float32),
        False,
        {"proba": proba[m:]},
        np.eye(2, dtype=np.int8)[np.zeros(len(labelled), int)],
        similarity=lambda some, others: points[some] @ points[others].T,
    )


def test_a_batch_covers_the_large_unlabelled_groups() -> None:
    groups = np.repeat([0, 1, 2, 3], [40, 30, 20, 1])
    scores = grouped_scores(groups, labelled=np.zeros(10, np.int64))  # all of group 0
    assert sorted(groups[choose(scores, 2)]) == [1, 2]


def test_without_a_label_the_largest_group_comes_first() -> None:
    groups = np.repeat([0, 1, 2], [10, 40, 20])
    scores = grouped_scores(groups, labelled=np.empty(0, np.int64))
    assert groups[choose(scores, 1)].tolist() == [1]


def test_certain_items_are_not_picked() -> None:
    scores = grouped_scores(np.repeat([0, 1], 20), np.array([0, 1]))
    scores.arrays["proba"][:20] = [0.999, 0.001]
    assert min(choose(scores, 5)) >= 20


def test_information_is_that_of_a_coin() -> None:
    proba = np.array([[0.5, 0.5], [0.9, 0.1], [1, 0]], np.float32)
    np.testing.assert_allclose(information(proba, multi=False), [0.25, 0.09, 1e-4], atol=1e-6)
    np.testing.assert_allclose(information(proba, multi=True), [0.5, 0.18, 1e-4], atol=1e-6)


def test_auto_is_fisher_in_a_single_label_scheme() -> None:
    scores = made_scores(3000, 3, multi=False, labelled=50)
    auto = create(Kind.STRATEGY, "auto").choose(scores, 20, 1).tolist()
    assert auto == choose(scores, 20)


def test_a_classifier_without_an_encoder_is_refused() -> None:
    scores = replace(made_scores(20, 3, multi=False, labelled=5), similarity=None)
    with pytest.raises(ConfigError, match=r"needs a classifier with an encoder.*auto"):
        choose(scores, 3)


@pytest.mark.parametrize("multi", [True, False])
def test_scores_of_some_candidates_keep_their_similarity(multi: bool) -> None:
    whole = made_scores(30, 3, multi, labelled=6)
    rows = np.array([2, 3, 11, 29])
    part = whole.for_candidates(rows)
    places = np.concatenate([rows, 30 + np.arange(6)])
    some, others = np.array([3, 0, 5]), np.arange(10)
    assert whole.similarity is not None
    assert part.similarity is not None
    np.testing.assert_array_equal(
        part.similarity(some, others), whole.similarity(places[some], places[others])
    )
    again = part.for_candidates(np.array([1, 2]))
    assert again.similarity is not None
    np.testing.assert_array_equal(
        again.similarity(np.array([1]), np.array([2])),
        whole.similarity(np.array([11]), np.array([30])),
    )
