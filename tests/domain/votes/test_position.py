"""Positions: what may be shown, on any groups; and what is told of a group."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.annotation import Annotation
from biasloop.domain.label import Scheme
from biasloop.domain.votes.position import MIN_GROUP_SIZE, groups_to_show, view_group
from support import annotations

SCHEME = Scheme(("age", "gender"), multi=True, none_label="inclusive")


@given(st.lists(st.integers(1, 12), min_size=1, max_size=8), st.integers(0, 8))
def test_nobody_can_be_reckoned_from_what_is_shown(sizes: list[int], silent: int) -> None:
    groups = {f"g{i}": {f"p{i}.{j}" for j in range(size)} for i, size in enumerate(sizes)}
    people = set().union(*groups.values()) | {f"silent{i}" for i in range(silent)}
    seen = groups_to_show(groups, people)
    assert all(len(groups[name]) >= MIN_GROUP_SIZE for name in seen)
    rest = people.difference(*(groups[name] for name in seen))
    if seen and len(seen) < len(groups):
        assert len(rest) >= MIN_GROUP_SIZE


@pytest.mark.parametrize(
    ("sizes", "silent", "expected"),
    [
        ((6, 5), 0, ["g0", "g1"]),
        ((9, 6, 3), 0, ["g0"]),  # 3 could be reckoned from 9 and 6
        ((9, 6, 3), 2, ["g0", "g1"]),
        ((9, 6, 4, 4), 0, ["g0", "g1"]),
        ((9, 4), 0, []),
        ((7, 6), 1, ["g0", "g1"]),  # who is silent has said nothing that could be told
        ((4, 4), 9, []),
    ],
)
def test_the_next_smallest_hides_the_last(
    sizes: tuple[int, ...], silent: int, expected: list[str]
) -> None:
    groups = {f"g{i}": [f"p{i}.{j}" for j in range(size)] for i, size in enumerate(sizes)}
    people = [p for group in groups.values() for p in group] + [f"s{i}" for i in range(silent)]
    assert groups_to_show(groups, people) == expected


def vote(item: str, who: str, *labels: str, asked: tuple[str, ...] = SCHEME.labels) -> Annotation:
    return annotations.vote(item, *labels, annotator=who, asked=asked)


def test_a_group_that_sees_more() -> None:
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
    found = view_group(votes, group, consensus, roots, SCHEME, seed=1)
    assert found.people == 2
    apart = found.apart["gender"]
    assert apart is not None
    assert apart.value == pytest.approx(30 / 41)  # of the 40, and "old", which both deny
    assert 0.5 < apart.low < apart.value < apart.high < 0.9
    assert found.as_consensus is not None
    assert found.as_consensus.value == pytest.approx(0.5)
    nobody = found.apart["age"]
    assert nobody is not None
    assert nobody.value == 0.0


def test_a_group_alone_is_apart_from_nobody() -> None:
    votes = [vote("i", who, "age") for who in "ab"]
    found = view_group(votes, "ab", {}, {"i": "i"}, SCHEME, seed=1)
    assert found.as_consensus is None
    assert found.apart == {"age": None, "gender": None}
