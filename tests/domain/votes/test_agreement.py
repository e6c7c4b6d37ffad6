"""Agreement: published figures are reproduced, and properties hold for any votes."""

from dataclasses import replace

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
    """Number of times that each unit got each value, (12, 5)."""
    columns = zip(*(line.split() for line in OBSERVED.strip().splitlines()), strict=True)
    return np.array([[column.count(str(value)) for value in range(1, 6)] for column in columns])


def vote(item: str, annotator: str, *labels: str) -> Annotation:
    return annotations.vote(item, *(labels or ("inclusive",)), annotator=annotator, asked=NAMES)


def test_answers_to_gold_items() -> None:
    known = {"g1": ("age",), "g2": ("age", "gender"), "g3": ("inclusive",)}
    votes = [
        vote("g1", "ada", "age"),
        vote("g2", "ada", "gender", "age"),
        vote("g3", "ada"),
        vote("g2", "bea", "age"),  # incomplete, so not correct
        vote("item", "bea", "age"),
    ]
    results = score_on_gold(votes, known)
    assert {name: (r.n, r.right.value) for name, r in results.items()} == {
        "ada": (3, 1.0),
        "bea": (1, 0.0),
    }
    assert results["ada"].right.low < 0.5  # the interval is wide for three answers
    assert score_on_gold(votes, {}) == {}


def test_wilson_intervals_match_published_ones() -> None:
    # Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I.
    for hits, n, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605)):
        interval = wilson_interval(hits, n)
        assert (interval.low, interval.high) == (
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


def test_alpha_matches_the_published_example() -> None:
    alpha = krippendorff_alpha(table(), NOMINAL, Roots.from_count(12), seed=0)
    assert alpha is not None
    assert alpha.value == pytest.approx(0.743, abs=0.0005)
    assert alpha.low < alpha.value < alpha.high
    squared = np.subtract.outer(np.arange(5.0), np.arange(5.0)) ** 2  # the interval metric
    alpha = krippendorff_alpha(table(), squared, Roots.from_count(12), seed=0)
    assert alpha is not None
    assert alpha.value == pytest.approx(0.849, abs=0.0005)


def test_masi_distance() -> None:
    assert masi_distance({"a"}, {"a"}) == masi_distance(set(), set()) == 0
    assert masi_distance({"a"}, {"b"}) == masi_distance({"a"}, set()) == 1
    assert masi_distance({"a"}, {"a", "b"}) == pytest.approx(1 - 1 / 2 * 2 / 3)
    assert masi_distance({"a", "c"}, {"a", "b"}) == pytest.approx(1 - 1 / 3 * 1 / 3)


label_lists = st.lists(st.sampled_from(NAMES), unique=True, max_size=2)
ballots = st.lists(
    st.tuples(st.sampled_from("123456"), st.sampled_from("abcd"), label_lists),
    min_size=1,
    max_size=24,
    unique_by=lambda row: row[:2],
)


@given(ballots)
def test_alpha_is_one_only_if_all_annotators_agree(rows) -> None:
    votes = [vote(item, annotator, *labels) for item, annotator, labels in rows]
    agreement = measure_agreement(
        votes, {v.item_id: v.item_id for v in votes}, MULTI, seed=0, min_positives=0
    )
    by_item: dict[str, list[frozenset[str]]] = {}
    for item, _, labels in rows:
        by_item.setdefault(item, []).append(frozenset(labels))
    shared = [label_sets for label_sets in by_item.values() if len(label_sets) > 1]
    assert agreement.items == len(shared)
    differ = any(len(set(label_sets)) > 1 for label_sets in shared)
    if agreement.sets is not None:
        assert agreement.sets.value <= 1 + 1e-9
        assert (agreement.sets.value == pytest.approx(1)) == (not differ)
    answers = [labels for label_sets in shared for labels in label_sets]
    of_labels = [
        (m, {name in labels for labels in answers}) for name, m in agreement.labels.items()
    ]
    for measured, used in [(agreement.sets, set(answers)), *of_labels]:
        # Undefined if all answers are the same; a single item has no interval.
        assert measured is None or len(used) > 1
        assert measured is not None or len(used) < 2 or len(shared) < 2


def test_intervals_resample_roots() -> None:
    votes = [
        vote(f"{i}", annotator, *(["age"] if i % 2 else []))
        for i in range(60)
        for annotator in "ab"
    ]
    votes += [vote("x", "a", "age"), vote("x", "b")]
    own_roots = measure_agreement(votes, {v.item_id: v.item_id for v in votes}, MULTI, seed=0).sets
    one_root = measure_agreement(votes, {v.item_id: "ad" for v in votes}, MULTI, seed=0).sets
    assert own_roots is not None
    assert own_roots.low < own_roots.value < 1
    assert one_root is None  # one root has no interval


def test_a_weight_of_three_counts_like_three_items() -> None:
    votes = [
        vote(f"{i}", annotator, *(["age"] if i % 2 or (i % 5 == 0 and annotator == "b") else []))
        for i in range(200)
        for annotator in "ab"
    ]
    weights = {f"{i}": 3.0 if i % 5 == 0 else 1.0 for i in range(200)}
    repeated = [
        replace(v, item_id=f"{v.item_id}-{n}")
        for v in votes
        for n in range(int(weights[v.item_id]))
    ]
    roots = {v.item_id: v.item_id for v in votes}
    weighted = measure_agreement(votes, roots, MULTI, seed=0, weights=weights)
    counted = measure_agreement(
        repeated, {v.item_id: v.item_id.split("-")[0] for v in repeated}, MULTI, seed=0
    )
    plain = measure_agreement(votes, roots, MULTI, seed=0)
    for measured, expected, other in (
        (weighted.sets, counted.sets, plain.sets),
        (weighted.labels["age"], counted.labels["age"], plain.labels["age"]),
    ):
        assert measured is not None
        assert expected is not None
        assert other is not None
        assert measured.value == pytest.approx(expected.value, abs=0.003)
        assert measured.low == pytest.approx(expected.low, abs=0.02)
        assert measured.value < other.value - 0.05


def two_annotators(
    rng: np.random.Generator, items: int, positives: float, right: float, size: int
) -> tuple[np.ndarray, float]:
    """How often each item got no and yes when each annotator is `right` that often, and the alpha
    that endless items would have. The truth is the same for all `size` items of a root."""
    truth = np.repeat(rng.random(-(-items // size)) < positives, size)[:items]
    answers = truth[:, None] ^ (rng.random((items, 2)) > right)
    yes = positives * right + (1 - positives) * (1 - right)
    alpha = 1 - right * (1 - right) / (yes * (1 - yes))
    return np.column_stack([2 - answers.sum(axis=1), answers.sum(axis=1)]), alpha


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("right", [0.97, 0.85])
@pytest.mark.parametrize("positives", [0.5, 0.1])
def test_intervals_of_alpha_contain_the_true_alpha_and_the_estimate(
    positives: float, right: float, size: int
) -> None:
    """Of 20 items that two people had voted on, alpha was 0.65 [0.58, 0.65]."""
    rng = np.random.default_rng(0)
    contained, tables = 0, 0
    for items in np.resize([20, 40, 60], 300):
        counts, true = two_annotators(rng, items, positives, right, size)
        roots = Roots.from_names([str(i // size) for i in range(items)])
        alpha = krippendorff_alpha(counts, 1 - np.eye(2), roots, seed=0)
        if alpha is None:  # nobody ever said yes
            continue
        tables += 1
        assert alpha.low < alpha.value <= alpha.high <= 1
        assert alpha.value < alpha.high or alpha.high == pytest.approx(1)
        contained += alpha.low <= true <= alpha.high
    assert tables > 250
    binomial_error = 2 * (0.95 * 0.05 / tables) ** 0.5
    assert contained / tables > 0.95 - binomial_error


@given(ballots, st.integers(1, 3))
def test_no_interval_says_that_an_estimate_is_certain(rows, size) -> None:
    votes = [vote(item, annotator, *labels) for item, annotator, labels in rows]
    roots = {v.item_id: str(int(v.item_id) // size) for v in votes}
    measured = measure_agreement(votes, roots, MULTI, seed=0, min_positives=0)
    for alpha in (measured.sets, *measured.labels.values()):
        if alpha is not None:
            assert -1 <= alpha.low < alpha.high <= 1 + 1e-9
            assert alpha.low <= alpha.value <= alpha.high


@pytest.mark.parametrize(("items", "expected"), [(20, 0.66), (60, 0.88)])
def test_perfect_agreement_is_as_certain_as_its_items_are_many(items: int, expected: float) -> None:
    """It was 1.00 [1.00, 1.00] for any number of items. Of n items without a disagreement, up to
    1 - 0.025 ** (1 / n) may differ, twice the share of what chance alone would make of them."""
    counts = np.array([[2, 0], [0, 2]] * (items // 2))
    alpha = krippendorff_alpha(counts, 1 - np.eye(2), Roots.from_count(items), seed=0)
    assert alpha is not None
    assert (alpha.value, alpha.high) == (pytest.approx(1), pytest.approx(1))
    assert alpha.low == pytest.approx(1 - 2 * (1 - 0.025 ** (1 / items)), abs=0.03)
    assert alpha.low == pytest.approx(expected, abs=0.03)


def test_items_that_nobody_was_asked_about_do_not_count() -> None:
    asked = np.array([[2, 0], [0, 2]] * 20)
    without = krippendorff_alpha(asked, 1 - np.eye(2), Roots.from_count(40), seed=0)
    counts = np.concatenate([asked, np.zeros((200, 2), dtype=int), [[1, 0]] * 9])
    assert krippendorff_alpha(counts, 1 - np.eye(2), Roots.from_count(249), seed=0) == without


def test_pairs_hold_the_votes_on_common_items() -> None:
    votes = [vote("1", "b", "age"), vote("1", "a"), vote("2", "a"), vote("3", "c"), vote("3", "a")]
    pairs = votes_by_pair(votes)
    assert {names: {v.item_id for v in pair_votes} for names, pair_votes in pairs.items()} == {
        ("a", "b"): {"1"},
        ("a", "c"): {"3"},
    }


def test_span_overlap() -> None:
    age = Span(0, 4, "age")
    assert span_overlap([("r", [[], []])], seed=0) is None
    rows = [("r", [[age], [Span(2, 6, "age")]]), ("s", [[age], [Span(0, 4, "gender")]])]
    overlap = span_overlap([*rows, ("t", [[age], [age]])], seed=0)
    assert overlap is not None
    assert overlap.value == pytest.approx((0.5 + 0 + 1) / 3)
    every = span_overlap([(str(i), [[age], [age]]) for i in range(20)], seed=0)
    assert every is not None
    assert (every.value, every.high) == (1, 1)
    assert every.low == pytest.approx(0.832, abs=0.02)  # Clopper and Pearson


@pytest.mark.parametrize("scheme", [MULTI, SINGLE])
def test_careless_annotators_have_low_competence(scheme: Scheme) -> None:
    rng = np.random.default_rng(0)
    votes = []
    for i in range(120):
        truth = NAMES[i % 3]
        for annotator, right in (("careful", 0.95), ("good", 0.9), ("careless", 0.5)):
            votes.append(
                vote(str(i), annotator, truth if rng.random() < right else NAMES[(i + 1) % 3])
            )
    competence = annotator_competence([*votes, vote("alone", "alone", "age")], scheme)
    assert competence.keys() == {"careful", "good", "careless"}
    assert competence["careful"] > competence["careless"] + 0.15
    assert competence["good"] > competence["careless"] + 0.15
    assert annotator_competence([vote("1", "a")], scheme) == {}


@pytest.mark.parametrize("scheme", [MULTI, SINGLE])
@pytest.mark.parametrize(("positives", "shown"), [(1, False), (29, False), (30, True)])
def test_agreement_is_not_shown_below_the_gate_of_positives(
    scheme: Scheme, positives: int, shown: bool
) -> None:
    """One positive among 20 items once gave alpha 1.00 [1.00, 1.00] for its label."""
    votes = []
    for i in range(positives if scheme is SINGLE else 60):
        label = "age" if i < positives else "inclusive"
        votes += [vote(str(i), annotator, label) for annotator in "ab"]
    votes[0] = vote("0", "a", "gender")
    measured = measure_agreement(votes, {v.item_id: v.item_id for v in votes}, scheme, seed=0)
    assert (measured.sets is not None) == shown
    assert (measured.labels.get("age") is not None) == (shown and scheme is MULTI)
    assert measured.labels.get("gender") is None
    assert (annotator_competence(votes, scheme).keys() == set("ab")) == shown


@pytest.mark.parametrize("scheme", [MULTI, SINGLE])
def test_a_vote_for_a_label_that_is_gone_agrees_with_nobody(scheme: Scheme) -> None:
    """It was read as a vote for the first class, or as a no to every label."""
    votes = [
        vote(str(i), annotator, NAMES[(i + (i % 7 == 0 and annotator == "b")) % 3])
        for i in range(120)
        for annotator in "ab"
    ]
    gone = [vote(str(i), annotator, "height") for i in range(120) for annotator in "cd"]
    roots = {v.item_id: v.item_id for v in votes}
    assert measure_agreement(votes + gone, roots, scheme, seed=0) == measure_agreement(
        votes, roots, scheme, seed=0
    )
    assert annotator_competence(votes + gone, scheme) == annotator_competence(votes, scheme)
