"""The contract of every registered strategy, in single- and in multi-label schemes."""

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biasloop.domain.learning import Scores
from biasloop.errors import ConfigError, UnknownName
from biasloop.plugins.registry import Kind, create, names
from biasloop.ports import Strategy
from support.made_scores import made_scores

SINGLE_ONLY = {"breaking_ties"}


CASE_OPTIONS = {name: (name, {}) for name in names(Kind.STRATEGY)} | {
    "subsample-coreset": ("subsample", {"of": "coreset", "size": 40}),
    "subsample-cluster": ("subsample", {"of": "cluster_diverse", "options": {"factor": 2}}),
    "softrank-bald": ("softrank", {"of": "bald", "power": 1.5}),
    "cluster-contrastive": ("cluster_diverse", {"of": "contrastive", "factor": 3}),
}
"""By name of a case: name of a strategy, options."""


def by_chance(case: str, multi: bool) -> bool:
    """Whether another seed changes the choice. By default `subsample` samples more than the 200
    candidates of these tests."""
    return CASE_OPTIONS[case][0] in {
        "random",
        "softrank",
        "embedding_kmeans",
        "cluster_diverse",
    } or (case.startswith("subsample-") or (multi and case in {"auto", "subsample"}))


CASES = [
    pytest.param(name, multi, id=f"{name}-{'multi' if multi else 'single'}")
    for name in CASE_OPTIONS
    for multi in (False, True)
    if not (multi and name in SINGLE_ONLY)
]


def strategy(case: str) -> Strategy:
    created: Strategy = create(Kind.STRATEGY, *CASE_OPTIONS[case])
    return created


def stored_scores(scores: Scores, needs: frozenset[str]) -> Scores:
    """The scores with only the arrays that a strategy needs, as the score step stores them."""
    return replace(
        scores,
        arrays={name: scores.arrays[name] for name in needs},
        labelled={name: scores.labelled[name] for name in needs},
    )


def choose(case: str, scores: Scores, n: int, seed: int) -> list[int]:
    created = strategy(case)
    chosen = created.choose(stored_scores(scores, created.needs), n, seed)
    assert chosen.dtype == np.int64
    return chosen.tolist()


@pytest.mark.parametrize(("case", "multi"), CASES)
@given(data=st.data())
@settings(max_examples=40)
def test_n_distinct_sorted_positions(case: str, multi: bool, data: st.DataObject) -> None:
    m = data.draw(st.integers(1, 30), "candidates")
    n = data.draw(st.integers(1, m), "n")
    scores = made_scores(
        m,
        data.draw(st.integers(1, 4), "labels"),
        multi,
        data.draw(st.integers(0, 99)),
        labelled=data.draw(st.integers(0, 15), "labelled"),
        distinct=data.draw(st.none() | st.integers(1, 4), "distinct candidates"),
    )
    chosen = choose(case, scores, n, seed=3)
    assert len(chosen) == n
    assert chosen == sorted(set(chosen))
    assert 0 <= chosen[0] <= chosen[-1] < m
    assert choose(case, scores, n, seed=3) == chosen


@pytest.mark.parametrize(("case", "multi"), CASES)
def test_the_same_seed_gives_the_same_choice(case: str, multi: bool) -> None:
    scores, other = (made_scores(200, 3, multi, seed, labelled=20) for seed in (0, 1))
    once = choose(case, scores, 20, seed=2**40 + 1)
    np.random.seed(5)  # other code may change numpy's global state
    assert choose(case, scores, 20, 2**40 + 1) == once
    assert (choose(case, other, 20, 2**40 + 1) != once) == (case != "random")
    assert (choose(case, scores, 20, 7) != once) == by_chance(case, multi)


@pytest.mark.parametrize(("case", "multi"), CASES)
def test_equal_candidates_have_equal_chances(case: str, multi: bool) -> None:
    scores = made_scores(12, 2, multi, labelled=5, distinct=1)
    n = 300
    count = np.zeros(12)
    for seed in range(n):
        count[choose(case, scores, 3, seed)] += 1
    assert np.abs(count / n - 1 / 4).max() < 5 * (3 / 16 / n) ** 0.5


@pytest.mark.parametrize(("case", "multi"), CASES)
def test_numpys_global_state_and_the_scores_are_left_alone(case: str, multi: bool) -> None:
    scores = made_scores(50, 3, multi, labelled=6)
    before = {name: array.copy() for name, array in scores.arrays.items()}
    np.random.seed(11)
    expected = np.random.random(3)
    np.random.seed(11)
    choose(case, scores, 10, seed=1)
    np.testing.assert_array_equal(np.random.random(3), expected)
    for name, array in scores.arrays.items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize(("case", "multi"), CASES)
def test_memory_mapped_scores_work(case: str, multi: bool, tmp_path: Any) -> None:
    whole = made_scores(50, 3, multi, labelled=6)

    def mapped(name: str) -> np.ndarray:
        np.save(tmp_path / f"{name}.npy", whole.arrays[name])
        return np.load(tmp_path / f"{name}.npy", mmap_mode="r")

    scores = replace(whole, arrays={name: mapped(name) for name in whole.arrays})
    assert choose(case, scores, 9, 1) == choose(case, whole, 9, 1)


@pytest.mark.parametrize("case", CASE_OPTIONS)
def test_it_needs_what_score_can_store(case: str) -> None:
    assert strategy(case).needs <= {"proba", "embedding", "passes"}


def test_breaking_ties_is_refused_in_multi_label_schemes() -> None:
    with pytest.raises(ConfigError, match=r"single-label.*set strategy\.name to rarity"):
        choose("breaking_ties", made_scores(9, 3, multi=True), 2, 1)


def test_wrong_options_are_refused() -> None:
    with pytest.raises(UnknownName, match="no strategy is called 'bold'"):
        create(Kind.STRATEGY, "subsample", {"of": "bold"})
    with pytest.raises(ConfigError, match="size"):
        create(Kind.STRATEGY, "subsample", {"size": 0})
    with pytest.raises(ConfigError, match=r"coreset does not rank.*such as rarity or entropy"):
        create(Kind.STRATEGY, "softrank", {"of": "coreset"})
    with pytest.raises(ConfigError, match="takes no options"):
        create(Kind.STRATEGY, "entropy", {"base": 2})


def test_making_a_strategy_loads_neither_small_text_nor_torch() -> None:
    statement = (
        "import sys; from biasloop.plugins.registry import Kind, create, names;"
        "[create(Kind.STRATEGY, name) for name in names(Kind.STRATEGY)]; "
        "assert not {'small_text', 'torch', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", statement], check=True)
