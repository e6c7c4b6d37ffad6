"""Which items need a second look."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import LabelSource, Scheme
from biasloop.domain.votes.dispute import DisputeReason, find_disputes
from support.annotations import AT, vote

NAMES = ("age", "gender")
MULTI = Scheme(NAMES, multi=True, none_label="inclusive")
SINGLE = Scheme(NAMES, multi=False)


def decision(item: str, *labels: str, **facts: Any) -> Annotation:
    source = LabelSource.ADJUDICATED
    return vote(item, *labels, key=f"{source}:{item}", source=source, annotator="Rita", **facts)


def test_differing_votes_and_what_they_differ_about() -> None:
    votes = [
        vote("same", "age", annotator="a"),
        vote("same", "age", annotator="b"),
        vote("differ", "age", "gender", annotator="a"),
        vote("differ", "age", annotator="b"),
        vote("alone", "gender", annotator="a"),
    ]
    (found,) = find_disputes(votes, (), MULTI)
    assert (found.item_id, found.reasons) == ("differ", [DisputeReason.VOTES_DIFFER])
    assert (found.labels, found.decision) == (["gender"], None)
    assert [answer.annotator for answer in found.answers] == ["a", "b"]


def test_classes_of_a_single_label_scheme() -> None:
    votes = [vote("i", "age", annotator="a"), vote("i", "gender", annotator="b")]
    (found,) = find_disputes(votes, (), SINGLE)
    assert found.labels == ["age", "gender"]


def test_who_was_not_asked_about_a_label_did_not_say_no() -> None:
    before = vote("i", "age", annotator="a", asked=("age",))
    assert find_disputes([before, vote("i", "age", "gender", annotator="b")], (), MULTI) == []


def test_a_flag_counts_on_votes_and_skips_but_not_on_what_was_set_aside() -> None:
    answers = [
        vote("voted", "inclusive", at=AT),
        vote("skipped", standing=Standing.SKIP, at=AT + timedelta(hours=1)),
        vote("aside", "age", standing=Standing.ASIDE),
        vote("gone", "age", standing=Standing.DELETED),
    ]
    found = find_disputes(answers, [answer.key for answer in answers], MULTI)
    assert [(d.item_id, d.labels) for d in found] == [("skipped", []), ("voted", ["inclusive"])]
    assert all(d.reasons == [DisputeReason.UNSURE] for d in found)


def test_a_decision_ends_it_and_gold_is_known() -> None:
    votes = [vote(i, label, annotator=label) for i in ("x", "g") for label in NAMES]
    gold = vote("g", "age", key="gold:g", source=LabelSource.GOLD)
    (open_,) = find_disputes([*votes, gold], (), MULTI)
    assert (open_.item_id, open_.decision) == ("x", None)
    decided = decision("x", "age")
    (closed,) = find_disputes([*votes, gold, decided], (), MULTI)
    assert closed.decision is not None
    assert closed.decision.annotator == "Rita"
    assert len(closed.answers) == 2
    retired = decision("x", "age", standing=Standing.ASIDE)
    assert find_disputes([*votes, gold, retired], (), MULTI) == [open_]


answers = st.lists(
    st.tuples(st.sampled_from("xyz"), st.sets(st.sampled_from(NAMES)), st.sampled_from("abc")),
    max_size=12,
    unique_by=lambda answer: (answer[0], answer[2]),
)


@given(answers, st.sets(st.sampled_from("xyz")))
def test_an_item_is_listed_once_and_only_for_a_reason(
    said: list[tuple[str, set[str], str]], decided: set[str]
) -> None:
    votes = [vote(i, *sorted(chosen) or ["inclusive"], annotator=who) for i, chosen, who in said]
    found = {
        d.item_id: d for d in find_disputes([*votes, *(decision(i) for i in decided)], (), MULTI)
    }
    by_item: dict[str, set[frozenset[str]]] = {}
    for item, chosen, _ in said:
        by_item.setdefault(item, set()).add(frozenset(chosen))
    differ = {item for item, sets in by_item.items() if len(sets) > 1}
    assert found.keys() == differ | decided
    assert {i for i, d in found.items() if d.decision} == decided
    assert all(bool(d.labels) == (i in differ) for i, d in found.items())
