"""Flip-consistency: whether verdicts change exactly where the truth of a family's versions does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from biasloop.domain.measure.flip import flip_consistency


def consistency(families: list[str], truth: list[list[int]], flags: list[list[int]]):
    return flip_consistency(families, np.array(truth, np.int8), np.array(flags, bool), seed=1)


def test_a_family_is_consistent_if_every_version_is_correct() -> None:
    families = ["a", "a", "b", "b", "b"]
    truth = [[1], [0], [1], [1], [0]]
    assert consistency(families, truth, truth).share.value == 1
    result = consistency(families, truth, [[1], [0], [1], [0], [0]])  # one version of b is wrong
    assert (result.n, result.share.value) == (2, 0.5)
    assert 0 <= result.share.low <= 0.5 <= result.share.high <= 1


def test_only_labels_that_vary_count() -> None:
    """`age` is the same in both versions, so verdicts on it do not count."""
    assert consistency(["a", "a"], [[1, 1], [0, 1]], [[1, 0], [0, 1]]).share.value == 1
    assert consistency(["a", "a"], [[1, -1], [0, 1]], [[1, 0], [0, 0]]).share.value == 1


@pytest.mark.parametrize("families", [[], ["", ""], ["a", "b"]])
def test_without_a_family_that_varies_there_is_no_share(families: list[str]) -> None:
    n = len(families)
    result = consistency(families, np.eye(n, 1), np.zeros((n, 1)))
    assert (result.n, result.share) == (0, None)


matrix = arrays(np.int8, (12, 2), elements=st.sampled_from([0, 1]))


@given(st.lists(st.sampled_from(["", "a", "b", "c"]), min_size=12, max_size=12), matrix, matrix)
def test_matches_a_plain_computation(families: list[str], truth, flags) -> None:
    consistent = []
    for family in {"a", "b", "c"} & set(families):
        rows = [i for i, name in enumerate(families) if name == family]
        varies = [j for j in range(2) if len({int(truth[i, j]) for i in rows}) == 2]
        if varies:
            consistent.append(all(truth[i, j] == flags[i, j] for i in rows for j in varies))
    result = consistency(families, truth, flags)
    assert result.n == len(consistent)
    if consistent:
        assert result.share.value == pytest.approx(sum(consistent) / len(consistent))
