"""Trials of a draft policy."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.policy import Policy
from biasloop.domain.trial import (
    Case,
    Scenario,
    ScenarioReason,
    label_totals,
    labels_to_re_ask,
    mix_scenarios,
    sort_cases,
    trial_id,
)
from biasloop.domain.writing.judgement import Judgement
from biasloop.domain.writing.prompt import Problem

CHOICES = ("gender", "age", "inclusive")
verdicts = st.one_of(
    st.sampled_from(Problem),
    st.sets(st.sampled_from(CHOICES), min_size=1).map(
        lambda labels: Judgement(tuple(sorted(labels)), 1.0, "because")
    ),
)
known_labels = st.none() | st.sets(st.sampled_from(CHOICES), min_size=1).map(
    lambda s: tuple(sorted(s))
)
scenarios = st.builds(
    Scenario, text=st.text(), known=known_labels, item_id=st.sampled_from(["", "an item"])
)
cases = st.lists(st.builds(Case, scenarios, verdicts, verdicts), max_size=20)


def case(before: str, after: str, known: str = "", item_id: str = "i") -> Case:
    def judged(labels: str) -> Judgement:
        return Judgement(tuple(labels.split()), 1.0, "")

    scenario = Scenario("text", known=tuple(known.split()) or None, item_id=item_id)
    return Case(scenario, judged(before), judged(after))


def test_the_order_of_labels_is_no_change() -> None:
    assert case("age", "gender age").changes
    assert not case("age gender", "gender age").changes
    unanswered = Case(Scenario("text", known=("age",)), Problem.NOT_ASKED, case("age", "age").after)
    assert not unanswered.changes
    assert not unanswered.answered
    assert not unanswered.contradicts
    assert not unanswered.contradicted


def test_verdicts_that_contradict_known_labels() -> None:
    assert case("age", "inclusive", known="age").contradicts
    assert not case("inclusive", "age", known="age").contradicts
    assert case("inclusive", "age", known="age").contradicted
    assert not case("age", "inclusive").contradicts


def test_labels_to_re_ask() -> None:
    cases = [
        case("age", "inclusive", known="age gender"),  # both are removed
        case("age", "age gender", known="age"),  # one is added, so its known label counts
        case("age", "inclusive", known="age", item_id=""),  # a given text, which cannot be re-asked
        case("age", "age", known="age"),
    ]
    assert labels_to_re_ask(cases) == {"age": 2, "gender": 1}


@given(cases)
def test_every_contradicted_item_has_a_label_to_re_ask(cases: list[Case]) -> None:
    labels = labels_to_re_ask(cases).keys()
    for case_ in cases:
        if case_.contradicts and case_.scenario.item_id:
            assert labels & set(case_.scenario.known or ())


@given(cases)
def test_all_cases_are_sorted_with_changes_first(cases: list[Case]) -> None:
    numbered = sort_cases(cases)
    assert sorted(number for number, _ in numbered) == list(range(1, len(cases) + 1))
    assert all(cases[number - 1] is case_ for number, case_ in numbered)
    weights = [
        8 * case_.changes + 4 * case_.contradicts + 2 * (not case_.answered)
        for _, case_ in numbered
    ]
    assert weights == sorted(weights, reverse=True)


@given(cases)
def test_totals_add_up(cases: list[Case]) -> None:
    for total in label_totals(cases, CHOICES):
        assert total.before + total.gained - total.lost == total.after
        assert max(total.before, total.after) <= sum(case_.answered for case_ in cases)


def test_totals_count_cases_with_both_verdicts() -> None:
    cases = [case("age", "gender"), Case(Scenario("t"), Problem.SCHEMA, case("age", "age").after)]
    assert [
        (t.label, t.before, t.after, t.gained, t.lost) for t in label_totals(cases, CHOICES)
    ] == [
        ("gender", 0, 1, 1, 0),
        ("age", 1, 0, 0, 1),
    ]


def test_the_id_of_a_trial_depends_on_its_question() -> None:
    old, new, texts = Policy("old"), Policy("new"), [Scenario("a"), Scenario("b")]
    id_ = trial_id(new, old, "m", texts)
    assert id_ == trial_id(new, old, "m", [Scenario("a", known=("age",)), Scenario("b")])
    others = [
        trial_id(old, new, "m", texts),
        trial_id(new, old, "n", texts),
        trial_id(new, old, "m", texts[::-1]),
    ]
    assert len({id_, *others}) == 4


rows = st.lists(st.integers(0, 29), unique=True).map(lambda numbers: np.array(numbers, np.int64))


@given(st.integers(0, 40), rows, rows, rows, st.lists(st.integers(0, 20), min_size=30, max_size=30))
def test_a_mix_holds_one_item_per_text_and_is_full_if_possible(
    n: int, differ: np.ndarray, labelled: np.ndarray, unlabelled: np.ndarray, texts: list[int]
) -> None:
    hashes = np.array([str(text) for text in texts])
    chosen = mix_scenarios(
        n,
        differ=differ,
        labelled=(labelled, ScenarioReason.BORDER),
        unlabelled=(unlabelled, ScenarioReason.UNSURE),
        hashes=hashes,
    )
    chosen_hashes = [hashes[row] for row, _ in chosen]
    assert len(set(chosen_hashes)) == len(chosen_hashes)
    available = {*hashes[differ], *hashes[labelled], *hashes[unlabelled]}
    assert len(chosen_hashes) == min(n, len(available))


def test_the_shares_of_a_mix() -> None:
    kinds = np.arange(30).reshape(3, 10)
    chosen = mix_scenarios(
        8,
        differ=kinds[0],
        labelled=(kinds[1], ScenarioReason.BORDER),
        unlabelled=(kinds[2], ScenarioReason.UNSURE),
        hashes=np.arange(30).astype(str),
    )
    assert [row for row, _ in chosen] == [0, 1, 10, 11, 20, 21, 22, 23]
    assert [why for _, why in chosen] == [ScenarioReason.DIFFER] * 2 + [
        ScenarioReason.BORDER
    ] * 2 + [ScenarioReason.UNSURE] * 4
