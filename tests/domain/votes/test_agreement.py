"""Agreement: against published figures, and by what must hold on any votes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.annotation import Annotation
from biasloop.domain.label import Scheme
from biasloop.domain.measure.resample import Roots
from biasloop.domain.span import Span
from biasloop.domain.votes.agreement import (
    annotator_competence,
    krippendorff_alpha,
    masi_distance,
    measure_agreement,
    score_on_gold,
    span_overlap,
    votes_by_pair,
    wilson_interval,
)
from support import annotations

NAMES = ("age", "gender", "origin")
MULTI = Scheme(NAMES, multi=True, none_label="inclusive")
SINGLE = Scheme(NAMES, multi=False)
NOMINAL = 1 - np.eye(5)

# Krippendorff (2011), example C: four observers, twelve units, five values, some missing.
OBSERVED = """
1 2 3 3 2 1 4 1 2 . . .
1 2 3 3 2 2 4 1 2 5 . 3
. 3 3 3 2 3 4 2 2 5 1 .
1 2 3 3 2 4 4 1 2 5 1 .
"""


def table() -> np.ndarray:
    """How often each unit got each value, (12, 5)."""
    columns = zip(*(line.split() for line in OBSERVED.strip().splitlines()), strict=True)
    return np.array([[column.count(str(value)) for value in range(1, 6)] for column in columns])


def vote(item: str, who: str, *labels: str) -> Annotation:
    return annotations.vote(item, *(labels or ("inclusive",)), annotator=who, asked=NAMES)


def test_answers_to_gold_items() -> None:
    known = {"g1": ("age",), "g2": ("age", "gender"), "g3": ("inclusive",)}
    votes = [
        vote("g1", "ada", "age"),
        vote("g2", "ada", "gender", "age"),
        vote("g3", "ada"),
        vote("g2", "bea", "age"),  # a part of it is not right
        vote("item", "bea", "age"),
    ]
    found = score_on_gold(votes, known)
    assert {name: (r.n, r.right.value) for name, r in found.items()} == {
        "ada": (3, 1.0),
        "bea": (1, 0.0),
    }
    assert found["ada"].right.low < 0.5  # three answers prove little
    assert score_on_gold(votes, {}) == {}


def test_wilsons_interval_as_published() -> None:
    # Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I.
    for hits, n, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605)):
        found = wilson_interval(hits, n)
        assert (found.low, found.high) == (
            pytest.approx(low, abs=5e-5),
            pytest.approx(high, abs=5e-5),
        )
    assert (wilson_interval(0, 20).low, wilson_interval(0, 20).high) == (
        0,
        pytest.approx(0.1611, abs=5e-5),
    )
    none, every = wilson_interval(0, 10), wilson_interval(10, 10)
    assert [round(bound, 3) for bound in (none.low, none.high)] == [0.0, 0.278]  # as tabulated
    assert [round(bound, 3) for bound in (every.low, every.high)] == [0.722, 1.0]


def test_the_published_example() -> None:
    found = krippendorff_alpha(table(), NOMINAL, Roots.from_count(12), seed=0)
    assert found is not None
    assert found.value == pytest.approx(0.743, abs=0.0005)
    assert found.low < found.value < found.high
    squared = np.subtract.outer(np.arange(5.0), np.arange(5.0)) ** 2  # the interval metric
    found = krippendorff_alpha(table(), squared, Roots.from_count(12), seed=0)
    assert found is not None
    assert found.value == pytest.approx(0.849, abs=0.0005)


def test_masi() -> None:
    assert masi_distance({"a"}, {"a"}) == masi_distance(set(), set()) == 0
    assert masi_distance({"a"}, {"b"}) == masi_distance({"a"}, set()) == 1
    assert masi_distance({"a"}, {"a", "b"}) == pytest.approx(1 - 1 / 2 * 2 / 3)
    assert masi_distance({"a", "c"}, {"a", "b"}) == pytest.approx(1 - 1 / 3 * 1 / 3)


some = st.lists(st.sampled_from(NAMES), unique=True, max_size=2)
ballots = st.lists(
    st.tuples(st.sampled_from("123456"), st.sampled_from("abcd"), some),
    min_size=1,
    max_size=24,
    unique_by=lambda row: row[:2],
)


@given(ballots)
def test_alpha_is_at_most_one_and_one_only_where_nobody_differs(rows) -> None:
    votes = [vote(item, who, *labels) for item, who, labels in rows]
    found = measure_agreement(votes, {v.item_id: v.item_id for v in votes}, MULTI, seed=0)
    by_item: dict[str, list[frozenset[str]]] = {}
    for item, _, labels in rows:
        by_item.setdefault(item, []).append(frozenset(labels))
    shared = [said for said in by_item.values() if len(said) > 1]
    assert found.items == len(shared)
    differ = any(len(set(said)) > 1 for said in shared)
    if found.sets is not None:
        assert found.sets.value <= 1 + 1e-9
        assert (found.sets.value == pytest.approx(1)) == (not differ)
    answers = [labels for said in shared for labels in said]
    of_labels = [(m, {name in labels for labels in answers}) for name, m in found.labels.items()]
    for measured, used in [(found.sets, set(answers)), *of_labels]:
        # Undefined where nobody could differ; one item alone has no interval.
        assert measured is None or len(used) > 1
        assert measured is not None or len(used) < 2 or len(shared) < 2


def test_a_root_is_drawn_whole() -> None:
    votes = [vote(f"{i}", who, *(["age"] if i % 2 else [])) for i in range(6) for who in "ab"]
    votes += [vote("x", "a", "age"), vote("x", "b")]
    apart = measure_agreement(votes, {v.item_id: v.item_id for v in votes}, MULTI, seed=0).sets
    together = measure_agreement(votes, {v.item_id: "ad" for v in votes}, MULTI, seed=0).sets
    assert apart is not None
    assert apart.low < apart.value < 1
    assert together is None  # one ad is one witness


def test_pairs_have_what_two_answered_in_common() -> None:
    votes = [vote("1", "b", "age"), vote("1", "a"), vote("2", "a"), vote("3", "c"), vote("3", "a")]
    found = votes_by_pair(votes)
    assert {names: {v.item_id for v in said} for names, said in found.items()} == {
        ("a", "b"): {"1"},
        ("a", "c"): {"3"},
    }


def test_spans_that_overlap() -> None:
    age = Span(0, 4, "age")
    assert span_overlap([("r", [[], []])], seed=0) is None
    rows = [("r", [[age], [Span(2, 6, "age")]]), ("s", [[age], [Span(0, 4, "gender")]])]
    found = span_overlap([*rows, ("t", [[age], [age]])], seed=0)
    assert found is not None
    assert found.value == pytest.approx((0.5 + 0 + 1) / 3)


@pytest.mark.parametrize("scheme", [MULTI, SINGLE])
def test_the_careless_are_found_out(scheme: Scheme) -> None:
    rng = np.random.default_rng(0)
    votes = []
    for i in range(120):
        truth = NAMES[i % 3]
        for who, right in (("careful", 0.95), ("good", 0.9), ("careless", 0.5)):
            votes.append(vote(str(i), who, truth if rng.random() < right else NAMES[(i + 1) % 3]))
    found = annotator_competence([*votes, vote("alone", "alone", "age")], scheme)
    assert found.keys() == {"careful", "good", "careless"}
    assert found["careful"] > found["careless"] + 0.15
    assert found["good"] > found["careless"] + 0.15
    assert annotator_competence([vote("1", "a")], scheme) == {}
