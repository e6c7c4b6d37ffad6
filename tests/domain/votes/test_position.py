"""Positions: which groups may be shown, and the figures of a group."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.annotation import Annotation
from biasloop.domain.label import Scheme
from biasloop.domain.votes.position import MIN_GROUP_SIZE, groups_to_show, view_group
from support import annotations

SCHEME = Scheme(("age", "gender"), multi=True, none_label="inclusive")


@given(st.lists(st.integers(1, 12), min_size=1, max_size=8), st.integers(0, 8))
def test_shown_groups_do_not_reveal_small_ones(sizes: list[int], silent: int) -> None:
    groups = {f"g{i}": {f"p{i}.{j}" for j in range(size)} for i, size in enumerate(sizes)}
    annotators = set().union(*groups.values()) | {f"silent{i}" for i in range(silent)}
    shown = groups_to_show(groups, annotators)
    assert all(len(groups[name]) >= MIN_GROUP_SIZE for name in shown)
    rest = annotators.difference(*(groups[name] for name in shown))
    if shown and len(shown) < len(groups):
        assert len(rest) >= MIN_GROUP_SIZE


@pytest.mark.parametrize(
    ("sizes", "silent", "expected"),
    [
        ((6, 5), 0, ["g0", "g1"]),
        ((9, 6, 3), 0, ["g0"]),  # 3 could be computed from 9 and 6
        ((9, 6, 3), 2, ["g0", "g1"]),
        ((9, 6, 4, 4), 0, ["g0", "g1"]),
        ((9, 4), 0, []),
        ((7, 6), 1, ["g0", "g1"]),  # those outside all groups reveal nothing
        ((4, 4), 9, []),
    ],
)
def test_a_further_group_is_hidden_to_protect_a_small_one(
    sizes: tuple[int, ...], silent: int, expected: list[str]
) -> None:
    groups = {f"g{i}": [f"p{i}.{j}" for j in range(size)] for i, size in enumerate(sizes)}
    annotators = [p for group in groups.values() for p in group] + [f"s{i}" for i in range(silent)]
    assert groups_to_show(groups, annotators) == expected


def vote(item: str, who: str, *labels: str, asked: tuple[str, ...] = SCHEME.labels) -> Annotation:
    return annotations.vote(item, *labels, annotator=who, asked=asked)


def test_a_group_that_votes_for_a_label_more_often() -> None:
    items = [f"i{n}" for n in range(40)]
    group = ["a", "b"]
    votes = [
        *(vote(item, who, "gender") for item in items for who in group),
        *(vote(item, "c", "gender" if n % 4 == 0 else "inclusive") for n, item in enumerate(items)),
        vote("alone", "a", "age"),
        vote("old", "a", "inclusive", asked=("gender",)),
        vote("old", "c", "inclusive", asked=("gender",)),
    ]
    consensus = dict.fromkeys(items[:20], ("gender",)) | dict.fromkeys(items[20:], ("age",))
    roots = {item: item for item in (*items, "alone", "old")}
    view = view_group(votes, group, consensus, roots, SCHEME, seed=1)
    assert view.people == 2
    apart = view.apart["gender"]
    assert apart is not None
    assert apart.value == pytest.approx(30 / 41)  # of the 40, and "old", which both deny
    assert 0.5 < apart.low < apart.value < apart.high < 0.9
    assert view.as_consensus is not None
    assert view.as_consensus.value == pytest.approx(0.5)
    no_difference = view.apart["age"]
    assert no_difference is not None
    assert no_difference.value == 0.0
    assert no_difference.low < 0 < no_difference.high  # 41 items do not prove that there is none


def test_a_group_that_always_votes_as_the_consensus_might_not_have() -> None:
    """The share was 1.00 [1.00, 1.00], from however few votes."""
    votes = [vote(f"i{n}", "a", "age") for n in range(20)]
    roots = {v.item_id: v.item_id for v in votes}
    view = view_group(votes, "a", dict.fromkeys(roots, ("age",)), roots, SCHEME, seed=1)
    assert view.as_consensus is not None
    assert (view.as_consensus.value, view.as_consensus.high) == (1, 1)
    assert view.as_consensus.low == pytest.approx(0.832, abs=0.02)  # Clopper and Pearson


def test_a_group_without_others_has_no_differences() -> None:
    votes = [vote("i", who, "age") for who in "ab"]
    view = view_group(votes, "ab", {}, {"i": "i"}, SCHEME, seed=1)
    assert view.as_consensus is None
    assert view.apart == {"age": None, "gender": None}
