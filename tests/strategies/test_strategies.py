"""What every registered strategy must hold, and what margin_to_border chooses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

import biasloop.strategies
from biasloop.errors import ConfigError
from biasloop.ports import Scores, Strategy
from biasloop.registry import Kind, create, names
from biasloop.strategies.multi_label import border_distance

assert biasloop.strategies  # registers them

Floats = NDArray[np.float32]
SINGLE_ONLY = {"breaking_ties"}


def scores(m: int, k: int, multi: bool, seed: int = 0) -> Scores:
    rng = np.random.default_rng(seed)
    proba = rng.random((m, k))
    if not multi:
        proba /= proba.sum(axis=1, keepdims=True)
    return Scores(
        {"proba": proba.astype(np.float32)}, rng.uniform(0.2, 0.8, k).astype(np.float32), multi
    )


CASES = [
    pytest.param(name, multi, id=f"{name}-{'multi' if multi else 'single'}")
    for name in names(Kind.STRATEGY)
    for multi in (False, True)
    if not (multi and name in SINGLE_ONLY)
]


def strategy(name: str) -> Strategy:
    made: Strategy = create(Kind.STRATEGY, name)
    return made


# --- the contract ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "multi"), CASES)
@given(data=st.data())
def test_n_distinct_sorted_positions(name: str, multi: bool, data: st.DataObject) -> None:
    m = data.draw(st.integers(1, 30), "candidates")
    n = data.draw(st.integers(1, m), "n")
    k = data.draw(st.integers(1 if multi else 2, 4), "labels")
    given_scores = scores(m, k, multi, data.draw(st.integers(0, 99)))
    chosen = strategy(name).choose(given_scores, n, seed=3)
    assert chosen.dtype == np.int64
    assert len(chosen) == n
    assert np.all(np.diff(chosen) > 0)
    assert 0 <= chosen[0] <= chosen[-1] < m


@pytest.mark.parametrize(("name", "multi"), CASES)
def test_the_same_seed_gives_the_same_choice(name: str, multi: bool) -> None:
    given_scores = scores(200, 3, multi)
    once = strategy(name).choose(given_scores, 20, seed=2**40 + 1)
    np.random.seed(5)  # whatever others did to numpy's global state
    np.testing.assert_array_equal(strategy(name).choose(given_scores, 20, 2**40 + 1), once)
    looks_at_scores = not np.array_equal(
        strategy(name).choose(scores(200, 3, multi, seed=1), 20, 2**40 + 1), once
    )
    depends_on_seed = not np.array_equal(strategy(name).choose(given_scores, 20, 7), once)
    assert looks_at_scores == (name != "random")
    assert depends_on_seed == (name == "random")


@pytest.mark.parametrize(("name", "multi"), CASES)
def test_numpys_global_state_and_the_scores_are_left_alone(name: str, multi: bool) -> None:
    given_scores = scores(50, 3, multi)
    proba = given_scores.arrays["proba"].copy()
    np.random.seed(11)
    expected = np.random.random(3)
    np.random.seed(11)
    strategy(name).choose(given_scores, 10, seed=1)
    np.testing.assert_array_equal(np.random.random(3), expected)
    np.testing.assert_array_equal(given_scores.arrays["proba"], proba)


@pytest.mark.parametrize(("name", "multi"), CASES)
def test_memory_mapped_scores_do(name: str, multi: bool, tmp_path) -> None:
    whole = scores(50, 3, multi)
    np.save(tmp_path / "proba.npy", whole.arrays["proba"])
    mapped = Scores(
        {"proba": np.load(tmp_path / "proba.npy", mmap_mode="r")}, whole.thresholds, multi
    )
    np.testing.assert_array_equal(
        strategy(name).choose(mapped, 9, 1), strategy(name).choose(whole, 9, 1)
    )


@pytest.mark.parametrize("name", names(Kind.STRATEGY))
def test_what_it_needs_is_what_score_stores(name: str) -> None:
    assert strategy(name).needs == {"proba"}


def test_breaking_ties_is_refused_in_multi_label_schemes() -> None:
    with pytest.raises(ConfigError, match=r"single-label.*set strategy\.name to margin_to_border"):
        strategy("breaking_ties").choose(scores(9, 3, multi=True), 2, 1)


# --- what they choose -----------------------------------------------------------------------------


def test_breaking_ties_chooses_the_smallest_gap_between_the_first_two() -> None:
    given_scores = scores(300, 4, multi=False)
    ordered = np.sort(given_scores.arrays["proba"], axis=1)
    gap = ordered[:, -1] - ordered[:, -2]
    expected = np.sort(np.argsort(gap)[:25])
    for name in ("breaking_ties", "auto"):
        np.testing.assert_array_equal(strategy(name).choose(given_scores, 25, 1), expected)


def test_random_is_uniform() -> None:
    given_scores = scores(10, 2, multi=True)
    n = 2_000
    count = np.zeros(10)
    for seed in range(n):
        count[strategy("random").choose(given_scores, 3, seed)] += 1
    assert np.abs(count / n - 0.3).max() < 5 * (0.3 * 0.7 / n) ** 0.5


shapes = st.tuples(st.integers(1, 20), st.integers(1, 4))
unit = st.floats(0, 1, width=32)


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
    given_scores = scores(m, k, True, seed)
    n = data.draw(st.integers(1, m))
    proba, thresholds = given_scores.arrays["proba"].astype(float), given_scores.thresholds
    side = np.where(proba < thresholds, thresholds, 1 - thresholds)
    nearest = (np.abs(proba - thresholds) / side).min(axis=1)
    for name in ("margin_to_border", "auto"):
        chosen = strategy(name).choose(given_scores, n, 1)
        rest = np.setdiff1d(np.arange(m), chosen)
        if len(rest):
            assert nearest[chosen].max() <= nearest[rest].min() + 1e-6


def test_each_label_has_its_own_border() -> None:
    """0.3 is unsure for a label flagged from 0.3 on, and sure for one flagged from 0.9 on."""
    proba = np.array([[0.3, 0.01], [0.01, 0.3], [0.6, 0.6]], np.float32)
    found = Scores({"proba": proba}, np.array([0.3, 0.9], np.float32), multi=True)
    assert strategy("margin_to_border").choose(found, 1, 1).tolist() == [0]
