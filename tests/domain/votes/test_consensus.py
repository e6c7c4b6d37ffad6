"""What votes come to, and whose word counts first."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import LabelSource, Scheme
from biasloop.domain.votes import consensus
from biasloop.domain.votes.consensus import (
    Consensus,
    ConsensusMethod,
    majority_consensus,
    resolve_item_labels,
)
from support import annotations

NAMES = ("age", "gender", "origin")
MULTI = Scheme(NAMES, multi=True, none_label="inclusive")
SINGLE = Scheme(NAMES, multi=False)
NOW = datetime(2026, 3, 1, tzinfo=UTC)

some = st.lists(st.sampled_from(NAMES), unique=True)
one_of = st.sampled_from(NAMES).map(lambda name: [name])
votes = st.lists(some, min_size=1, max_size=5)


def agree(said: list[list[str]], scheme: Scheme = MULTI, asked: list[list[str]] | None = None):
    found = majority_consensus("item", said, asked or [list(NAMES)] * len(said), scheme)
    assert found.item_id == "item"
    assert found.votes == len(said)
    return found


@given(votes)
def test_a_label_stands_when_half_of_the_votes_have_it(said: list[list[str]]) -> None:
    found = agree(said)
    for name in NAMES:
        count = sum(name in vote for vote in said)
        assert found.support[name] == pytest.approx(count / len(said))
        assert (name in found.labels) == (2 * count >= len(said))
    assert found.asked == NAMES
    assert found.labels  # none of the classes is the explicit negative
    assert ("inclusive" in found.labels) == (len(set(found.labels) & set(NAMES)) == 0)


@given(votes, st.randoms(use_true_random=False))
def test_the_order_of_votes_does_not_matter(said: list[list[str]], random) -> None:
    assert agree(random.sample(said, len(said))) == agree(said)


@given(some)
def test_one_vote_is_the_consensus(vote: list[str]) -> None:
    assert set(agree([vote]).labels) == set(vote or ["inclusive"])


@given(st.lists(st.tuples(some, some), min_size=1, max_size=5))
def test_a_label_counts_over_the_votes_that_were_asked(rows) -> None:
    asked = [[*ask] for _, ask in rows]
    said = [[name for name in vote if name in ask] for vote, ask in rows]
    if not any(asked):
        return
    found = agree(said, asked=asked)
    for name in NAMES:
        over = [vote for vote, ask in zip(said, asked, strict=True) if name in ask]
        assert (name in found.asked) == bool(over)
        if over:
            share = sum(name in vote for vote in over) / len(over)
            assert found.support[name] == pytest.approx(share)
            assert (name in found.labels) == (share >= 0.5)
        else:
            assert name not in found.support


@given(st.lists(one_of, min_size=1, max_size=7))
def test_a_single_label_scheme_has_one_winner(said: list[list[str]]) -> None:
    (winner,) = agree(said, SINGLE).labels
    flat = [vote[0] for vote in said]
    best = max(flat.count(name) for name in NAMES)
    assert flat.count(winner) == best
    assert winner == next(name for name in flat if flat.count(name) == best)  # voted first


def test_no_votes_have_no_consensus() -> None:
    with pytest.raises(ValueError, match="no votes on item x"):
        majority_consensus("x", [], [], MULTI)


# --- whose word counts ----------------------------------------------------------------------------


def said(source: str, *labels: str, item: str = "a", standing: str = "vote") -> Annotation:
    facts = {"source": LabelSource(source), "standing": Standing(standing), "asked": NAMES}
    return annotations.vote(item, *labels, key=f"{source}:{item}", **facts)


ORDER = ["human", "seed", "constructed", "llm"]


@given(st.lists(st.sampled_from(ORDER), unique=True))
def test_people_come_before_seeds_and_seeds_before_what_machines_made(present) -> None:
    labels = dict(zip(ORDER, ("age", "gender", "origin", "age"), strict=True))
    found = resolve_item_labels(
        [said(source, labels[source]) for source in present], MULTI, ConsensusMethod.MAJORITY
    )
    counted = [source for source in ORDER if source in present]
    if not counted:
        assert found == {}
        return
    verdict = found["a"]
    assert (verdict.source, verdict.labels) == (counted[0], (labels[counted[0]],))
    assert verdict.asked == NAMES


def test_only_votes_count() -> None:
    others = [said("human", "age", standing=s) for s in ("skip", "aside", "deleted")]
    assert resolve_item_labels(others, MULTI, ConsensusMethod.MAJORITY) == {}
    assert resolve_item_labels([*others, said("seed", "gender")], MULTI, ConsensusMethod.MAJORITY)[
        "a"
    ].labels == ("gender",)


def test_people_vote_and_items_are_apart() -> None:
    votes = [
        said("human", "age"),
        said("human", "age", "gender"),
        said("human", "gender", "origin"),
        said("human", "inclusive", item="b"),
    ]
    found = resolve_item_labels(votes, MULTI, ConsensusMethod.MAJORITY)
    assert set(found["a"].labels) == {"age", "gender"}
    assert found["b"].labels == ("inclusive",)


# --- consensus by reliability ---------------------------------------------------------------------


def vote(item: int, person: str, *labels: str) -> Annotation:
    return replace(said("human", *labels, item=str(item)), key=f"{item}:{person}", annotator=person)


def by_reliability(votes: list[Annotation], scheme: Scheme) -> dict[str, Consensus]:
    by_item: dict[str, list[Annotation]] = {}
    for found in votes:
        by_item.setdefault(found.item_id, []).append(found)
    return consensus.reach_consensus(by_item, scheme, ConsensusMethod.DAWID_SKENE)


def test_who_is_often_alone_counts_less() -> None:
    """Two who agree on 40 items, and one who says the opposite; then the reliable two differ."""
    votes = []
    for item in range(40):
        truth, wrong = ("age", "inclusive") if item % 2 else ("inclusive", "age")
        votes += [vote(item, "a", truth), vote(item, "b", truth), vote(item, "c", wrong)]
    votes += [vote(99, "a", "age"), vote(99, "c", "age"), vote(99, "d", "inclusive")]
    found = by_reliability(votes, MULTI)
    assert all(("age" in found[str(item)].labels) == bool(item % 2) for item in range(40))
    assert found["99"].support["age"] < majority_support(votes, "99", "age")
    assert found["99"].votes == 3
    assert found["0"].labels == ("inclusive",)


def majority_support(votes: list[Annotation], item: str, label: str) -> float:
    of_item = [v for v in votes if v.item_id == item]
    return consensus.reach_consensus({item: of_item}, MULTI, ConsensusMethod.MAJORITY)[
        item
    ].support[label]


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from("abc"), st.sampled_from(NAMES)),
        min_size=1,
        max_size=20,
        unique_by=lambda row: row[:2],
    ),
    st.randoms(use_true_random=False),
)
def test_support_is_a_probability_whatever_the_order(rows, random) -> None:
    votes = [vote(*row) for row in rows]
    for scheme in (MULTI, SINGLE):
        found = by_reliability(votes, scheme)
        again = by_reliability(random.sample(votes, len(votes)), scheme)
        for item_id, agreed in found.items():
            assert agreed.labels
            assert set(agreed.support) == set(NAMES)
            assert all(0 <= p <= 1 for p in agreed.support.values())
            assert agreed.support == pytest.approx(again[item_id].support)
            if not scheme.multi:
                assert sum(agreed.support.values()) == pytest.approx(1)


def test_a_label_nobody_was_asked_about_is_unknown() -> None:
    votes = [replace(vote(1, "a", "age"), asked=("age", "gender")), vote(2, "a", "inclusive")]
    assert by_reliability(votes, MULTI)["1"].asked == ("age", "gender")


def test_people_who_never_err_are_believed() -> None:
    votes = [vote(i, who, NAMES[i % 3]) for i in range(30) for who in "ab"]
    found = by_reliability(votes, SINGLE)
    assert [found[str(i)].labels for i in range(30)] == [(NAMES[i % 3],) for i in range(30)]
