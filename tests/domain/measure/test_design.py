"""Random draws with known chances, and inclusion probabilities over all of them."""

from collections.abc import Callable

import numpy as np
import pytest
from benchmarks.inclusion import Pool, simulate_sums
from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.measure.design import Design, Draw, draw_chances, draw_positions

ads_of_items = st.lists(st.integers(0, 5), min_size=1, max_size=30).map(
    lambda ads: np.unique(ads, return_inverse=True)[1].astype(np.int64)
)


@given(ads_of_items, st.data(), st.integers(1, 40), st.integers(1, 4))
def test_chances_bring_the_wanted_number_of_new_items(
    ads: np.ndarray, data: st.DataObject, wanted: int, limit: int
) -> None:
    m = len(ads)
    floats = st.lists(st.floats(0, 1), min_size=m, max_size=m)
    sizes = np.array(data.draw(floats)) + 0.1
    before = np.minimum(np.array(data.draw(floats)), 1.0)
    chances = draw_chances(sizes, before, ads, wanted, limit)
    new = chances * (1 - before)
    assert ((chances >= 0) & (chances <= 1)).all()
    assert (chances[1 - before <= 1e-9] == 0).all()
    assert np.bincount(ads, weights=new).max() <= limit * (1 + 1e-6)
    most = np.minimum(np.bincount(ads, weights=1 - before), limit).sum()
    assert new.sum() == pytest.approx(min(wanted, most), rel=1e-6, abs=1e-6)
    if (
        chances.any()
        and (chances < 1).all()
        and np.bincount(ads, weights=new).max() < limit * (1 - 1e-6)
    ):
        ratios = (chances / sizes)[1 - before > 1e-9]
        assert np.ptp(ratios) <= 1e-9 * ratios.max(initial=1)


@given(ads_of_items, st.data(), st.integers(0, 2**32))
def test_a_draw_takes_as_many_as_expected_from_every_ad(
    ads: np.ndarray, data: st.DataObject, seed: int
) -> None:
    chances = np.array(
        data.draw(st.lists(st.floats(0, 1), min_size=len(ads), max_size=len(ads)))
    ).round(6)
    drawn = draw_positions(chances, ads, np.random.default_rng(seed))
    assert (np.diff(drawn) > 0).all()
    assert (chances[drawn] > 0).all()
    assert abs(len(drawn) - chances.sum()) < 1
    of_ad = np.bincount(ads[drawn], minlength=ads.max() + 1)
    assert (np.abs(of_ad - np.bincount(ads, weights=chances)) < 1 + 1e-9).all()


def test_items_are_drawn_as_often_as_their_chances_say() -> None:
    ads, n = np.array([0, 0, 0, 1, 2, 2, 3, 4]), 4_000
    chances = np.array([0.9, 0.05, 0.3, 1.0, 0.5, 0.2, 0.01, 0.6])
    rng = np.random.default_rng(0)
    drawn = np.zeros(len(ads))
    for _ in range(n):
        drawn[draw_positions(chances, ads, rng)] += 1
    assert (np.abs(drawn / n - chances) <= 5 * np.sqrt(chances * (1 - chances) / n)).all()


def test_a_design_combines_draws_of_a_pool_that_grows() -> None:
    draws = [
        Draw.from_frame("audit", np.array([0, 2]), np.array([0.5, 0.25]), np.array([2])),
        Draw.from_frame("audit", np.array([0, 2, 3]), np.array([0.5, 1.0, 0.1]), np.array([2, 3])),
    ]
    design = Design.from_draws(draws, 6)
    assert design.chance == pytest.approx([0.75, 0, 1, 0.1, 0, 0])
    assert design.drawn.tolist() == [False, False, True, True, False, False]
    assert design.probability == pytest.approx([0.75, np.nan, 1, 0.1, np.nan, np.nan], nan_ok=True)
    assert len(Design.from_draws(draws, 1).chance) == 1


@pytest.mark.parametrize("pool", [Pool.small, Pool.long_ads])
def test_sums_over_the_drawn_items_are_unbiased(pool: Callable[[], Pool]) -> None:
    """Σ 1/p over the drawn items is, on average, the number of items they were drawn from, whatever
    a strategy takes in between. Fewer campaigns than benchmarks.inclusion."""
    for sums in simulate_sums(pool(), campaigns=120, rounds=5, seed=0).values():
        error = sums.ratio.std(ddof=1) / np.sqrt(len(sums.ratio))
        assert abs(sums.ratio.mean() - 1) < 4 * error + 1e-9
