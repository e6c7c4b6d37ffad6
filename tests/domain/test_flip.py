"""Flip-consistency: a family counts only when all of its versions are judged right."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.flip import flip_consistency

TRUTH = np.array([[1, 0], [1, 0], [0, 0], [0, 0]], dtype=np.int8)
"""Masculine, feminine, paired, neutral; the second label never varies."""


def test_a_family_whose_verdict_flips_where_it_should_is_consistent() -> None:
    found = flip_consistency(["a"] * 4, TRUTH, TRUTH == 1, seed=0)
    assert (found.n, found.share and found.share.value) == (1, 1.0)


@pytest.mark.parametrize("row", range(4))
def test_one_wrong_version_spoils_the_family(row: int) -> None:
    flags = TRUTH == 1
    flags[row, 0] = ~flags[row, 0]
    found = flip_consistency(["a"] * 4, TRUTH, flags, seed=0)
    assert found.share is not None
    assert found.share.value == 0.0


def test_labels_that_do_not_vary_play_no_part() -> None:
    flags = TRUTH == 1
    flags[:, 1] = True
    found = flip_consistency(["a"] * 4, TRUTH, flags, seed=0)
    assert found.share is not None
    assert found.share.value == 1.0


def test_rows_of_no_family_and_families_without_a_flip_are_left_out() -> None:
    same = np.ones((2, 2), np.int8)
    truth, flags = np.vstack([TRUTH, same]), np.vstack([TRUTH == 1, same == 0])
    assert flip_consistency([""] * 4 + ["b"] * 2, truth, flags, seed=0).share is None
    assert flip_consistency(["a"] * 4 + ["b"] * 2, truth, flags, seed=0).n == 1


@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_the_interval_holds_the_share(right: list[bool]) -> None:
    truth = np.vstack([TRUTH] * len(right))
    flags = np.vstack([(1 if good else 0) == TRUTH for good in right])
    families = [f"f{i}" for i in range(len(right)) for _ in range(4)]
    found = flip_consistency(families, truth, flags, seed=1)
    assert found.share is not None
    assert found.share.value == pytest.approx(sum(right) / len(right))
    assert found.share.low <= found.share.value <= found.share.high
