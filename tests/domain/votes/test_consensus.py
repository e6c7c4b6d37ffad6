"""Consensus of votes, and the precedence of label sources."""

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


def majority(
    label_sets: list[list[str]], scheme: Scheme = MULTI, asked: list[list[str]] | None = None
):
    result = majority_consensus(
        "item", label_sets, asked or [list(NAMES)] * len(label_sets), scheme
    )
    assert result.item_id == "item"
    assert result.votes == len(label_sets)
    return result


@given(votes)
def test_half_of_the_votes_decide_a_label(label_sets: list[list[str]]) -> None:
    result = majority(label_sets)
    for name in NAMES:
        count = sum(name in vote for vote in label_sets)
        assert result.support[name] == pytest.approx(count / len(label_sets))
        assert (name in result.labels) == (2 * count >= len(label_sets))
    assert result.asked == NAMES
    assert result.labels  # none of the classes is the explicit negative
    assert ("inclusive" in result.labels) == (len(set(result.labels) & set(NAMES)) == 0)


@given(votes, st.randoms(use_true_random=False))
def test_the_order_of_votes_does_not_matter(label_sets: list[list[str]], random) -> None:
    assert majority(random.sample(label_sets, len(label_sets))) == majority(label_sets)


@given(some)
def test_one_vote_is_the_consensus(vote: list[str]) -> None:
    assert set(majority([vote]).labels) == set(vote or ["inclusive"])


@given(st.lists(st.tuples(some, some), min_size=1, max_size=5))
def test_shares_are_over_the_votes_that_were_asked(rows) -> None:
    asked = [[*ask] for _, ask in rows]
    label_sets = [[name for name in vote if name in ask] for vote, ask in rows]
    if not any(asked):
        return
    result = majority(label_sets, asked=asked)
    for name in NAMES:
        over = [vote for vote, ask in zip(label_sets, asked, strict=True) if name in ask]
        assert (name in result.asked) == bool(over)
        if over:
            share = sum(name in vote for vote in over) / len(over)
            assert result.support[name] == pytest.approx(share)
            assert (name in result.labels) == (share >= 0.5)
        else:
            assert name not in result.support


@given(st.lists(one_of, min_size=1, max_size=7))
def test_a_single_label_scheme_has_one_winner(label_sets: list[list[str]]) -> None:
    (winner,) = majority(label_sets, SINGLE).labels
    flat = [vote[0] for vote in label_sets]
    best = max(flat.count(name) for name in NAMES)
    assert flat.count(winner) == best
    assert winner == next(name for name in flat if flat.count(name) == best)  # voted first


def test_without_votes_there_is_no_consensus() -> None:
    with pytest.raises(ValueError, match="no votes on item x"):
        majority_consensus("x", [], [], MULTI)


# --- precedence -----------------------------------------------------------------------------------


def annotation(source: str, *labels: str, item: str = "a", standing: str = "vote") -> Annotation:
    facts = {"source": LabelSource(source), "standing": Standing(standing), "asked": NAMES}
    return annotations.vote(item, *labels, key=f"{source}:{item}", **facts)


ORDER = ["human", "seed", "constructed", "llm"]


@given(st.lists(st.sampled_from(ORDER), unique=True))
def test_annotators_take_precedence_over_seeds_and_seeds_over_machines(present) -> None:
    labels = dict(zip(ORDER, ("age", "gender", "origin", "age"), strict=True))
    results = resolve_item_labels(
        [annotation(source, labels[source]) for source in present], MULTI, ConsensusMethod.MAJORITY
    )
    counted = [source for source in ORDER if source in present]
    if not counted:
        assert results == {}
        return
    item_label = results["a"]
    assert (item_label.source, item_label.labels) == (counted[0], (labels[counted[0]],))
    assert item_label.asked == NAMES


def test_only_votes_count() -> None:
    others = [annotation("human", "age", standing=s) for s in ("skip", "aside", "deleted")]
    assert resolve_item_labels(others, MULTI, ConsensusMethod.MAJORITY) == {}
    assert resolve_item_labels(
        [*others, annotation("seed", "gender")], MULTI, ConsensusMethod.MAJORITY
    )["a"].labels == ("gender",)


def test_consensus_of_annotators_is_per_item() -> None:
    votes = [
        annotation("human", "age"),
        annotation("human", "age", "gender"),
        annotation("human", "gender", "origin"),
        annotation("human", "inclusive", item="b"),
    ]
    results = resolve_item_labels(votes, MULTI, ConsensusMethod.MAJORITY)
    assert set(results["a"].labels) == {"age", "gender"}
    assert results["b"].labels == ("inclusive",)


# --- Dawid and Skene ------------------------------------------------------------------------------


def vote(item: int, annotator: str, *labels: str) -> Annotation:
    return replace(
        annotation("human", *labels, item=str(item)), key=f"{item}:{annotator}", annotator=annotator
    )


def dawid_skene(votes: list[Annotation], scheme: Scheme) -> dict[str, Consensus]:
    by_item: dict[str, list[Annotation]] = {}
    for vote in votes:
        by_item.setdefault(vote.item_id, []).append(vote)
    return consensus.reach_consensus(by_item, scheme, ConsensusMethod.DAWID_SKENE)


def test_unreliable_annotators_count_less() -> None:
    """Two annotators agree on 40 items, one says the opposite; then the reliable two differ."""
    votes = []
    for item in range(40):
        truth, wrong = ("age", "inclusive") if item % 2 else ("inclusive", "age")
        votes += [vote(item, "a", truth), vote(item, "b", truth), vote(item, "c", wrong)]
    votes += [vote(99, "a", "age"), vote(99, "c", "age"), vote(99, "d", "inclusive")]
    results = dawid_skene(votes, MULTI)
    assert all(("age" in results[str(item)].labels) == bool(item % 2) for item in range(40))
    assert results["99"].support["age"] < majority_support(votes, "99", "age")
    assert results["99"].votes == 3
    assert results["0"].labels == ("inclusive",)


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
def test_support_is_a_probability_and_does_not_depend_on_order(rows, random) -> None:
    votes = [vote(*row) for row in rows]
    for scheme in (MULTI, SINGLE):
        results = dawid_skene(votes, scheme)
        again = dawid_skene(random.sample(votes, len(votes)), scheme)
        for item_id, result in results.items():
            assert result.labels
            assert set(result.support) == set(NAMES)
            assert all(0 <= p <= 1 for p in result.support.values())
            assert result.support == pytest.approx(again[item_id].support)
            if not scheme.multi:
                assert sum(result.support.values()) == pytest.approx(1)


def test_labels_that_were_not_asked_about_are_left_out() -> None:
    votes = [replace(vote(1, "a", "age"), asked=("age", "gender")), vote(2, "a", "inclusive")]
    assert dawid_skene(votes, MULTI)["1"].asked == ("age", "gender")


def test_annotators_who_never_err_are_followed() -> None:
    votes = [vote(i, who, NAMES[i % 3]) for i in range(30) for who in "ab"]
    results = dawid_skene(votes, SINGLE)
    assert [results[str(i)].labels for i in range(30)] == [(NAMES[i % 3],) for i in range(30)]


@pytest.mark.parametrize("scheme", [MULTI, SINGLE])
@pytest.mark.parametrize("method", list(ConsensusMethod))
@given(data=st.data())
def test_a_vote_for_a_label_that_is_gone_is_a_vote_for_nothing(
    scheme: Scheme, method: ConsensusMethod, data: st.DataObject
) -> None:
    """In a single-label scheme it was one for the first class, in others a no to every label."""
    counted = data.draw(st.lists(st.sampled_from(scheme.labels), max_size=4))
    gone = data.draw(st.lists(st.sampled_from(["height", "weight"]), min_size=1, max_size=4))
    votes = [
        annotations.vote("x", label, annotator=f"{number}", asked=(*NAMES, "height", "weight"))
        for number, label in enumerate([*counted, *gone])
    ]
    with_all = resolve_item_labels(votes, scheme, method)
    assert with_all == resolve_item_labels(votes[: len(counted)], scheme, method)
    assert ("x" in with_all) == bool(counted)


def test_a_seed_of_a_label_that_is_gone_has_no_label() -> None:
    seed = annotations.vote("x", "height", source=LabelSource.SEED, asked=("height",))
    for scheme in (MULTI, SINGLE):
        assert resolve_item_labels([seed], scheme, ConsensusMethod.MAJORITY) == {}
