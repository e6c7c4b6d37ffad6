"""Votes given under an older policy, and decisions about them."""

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import AsideReason, LabelSource
from biasloop.domain.policy import (
    Policy,
    PolicyDecision,
    VoteAction,
    affected_versions,
    apply_decision,
    count_votes_by_policy,
    items_with_labels,
    versions_to_decide,
)
from support.annotations import vote

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def annotation(number: int, policy: str, *labels: str, **facts: object) -> Annotation:
    labels = labels or ("age",)
    return vote(f"item {number}", *labels, key=f"ls:{number}", policy_id=policy, **facts)


def decision_about(action: VoteAction, current: str, *older: str) -> PolicyDecision:
    return PolicyDecision(current, older, action, (), "rita", NOW)


annotations = st.lists(
    st.builds(
        lambda policy, facts: annotation(0, policy, **facts),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(
            [
                {},
                {"source": LabelSource.SEED},
                {"standing": Standing.SKIP, "labels": ()},
                {"standing": Standing.ASIDE, "reason": AsideReason.DUPLICATE},
                {"standing": Standing.ASIDE, "reason": AsideReason.OLDER_POLICY},
                {"standing": Standing.ASIDE, "reason": AsideReason.ASKED_AGAIN},
            ]
        ),
    ),
    max_size=8,
).map(lambda rows: [replace(a, key=f"ls:{n}", item_id=f"item {n}") for n, a in enumerate(rows)])


def after(before: list[Annotation], changes: list[Annotation]) -> list[Annotation]:
    changed = {a.key: a for a in changes}
    return [changed.get(a.key, a) for a in before]


def test_label_descriptions_are_part_of_a_policy() -> None:
    text = Policy("Linee guida")
    assert Policy("Linee guida", {}) == text
    assert len({text.id, Policy("Linee guida", {"age": "x"}).id, Policy("Linee guidax").id}) == 3
    assert Policy("a", {"x": "1", "y": "2"}).id == Policy("a", {"y": "2", "x": "1"}).id


def test_a_decision_applies_to_the_policy_in_force() -> None:
    votes = {"a": 3, "b": 2, "c": 1}
    assert versions_to_decide(votes, [], "c") == {"a", "b"}
    assert versions_to_decide(votes, [decision_about(VoteAction.KEEP, "b", "a")], "c") == {"a", "b"}
    assert versions_to_decide(votes, [decision_about(VoteAction.KEEP, "c", "a", "b")], "c") == set()
    assert (
        versions_to_decide(votes, [decision_about(VoteAction.RE_ASK, "c", "a", "b")], "c") == set()
    )
    # Votes that arrive later count until they are set aside as well.
    assert versions_to_decide(
        votes, [decision_about(VoteAction.SET_ASIDE, "c", "a", "b")], "c"
    ) == {
        "a",
        "b",
    }
    assert versions_to_decide({"c": 9}, [], "c") == set()


@given(annotations)
def test_set_aside_and_keep_undo_each_other(before: list[Annotation]) -> None:
    older = affected_versions(before, [], VoteAction.SET_ASIDE, "c")
    without = after(before, apply_decision(before, older, VoteAction.SET_ASIDE))
    assert count_votes_by_policy(without).keys() <= {"c"}
    assert not apply_decision(without, older, VoteAction.SET_ASIDE)
    decision = decision_about(VoteAction.SET_ASIDE, "c", *older)
    to_restore = affected_versions(without, [decision], VoteAction.KEEP, "c")
    restored = after(without, apply_decision(without, to_restore, VoteAction.KEEP))
    human_votes = {
        a.key for a in before if a.standing is Standing.VOTE and a.source is LabelSource.HUMAN
    }
    assert human_votes <= {a.key for a in restored if a.standing is Standing.VOTE}
    untouched = [a for a in before if a.source is LabelSource.SEED or a.policy_id == "c"]
    assert all(a in without for a in untouched)


def test_keep_restores_only_votes_set_aside_under_the_policy_in_force() -> None:
    before = [annotation(1, "a", standing=Standing.ASIDE, reason=AsideReason.OLDER_POLICY)]
    before.append(annotation(2, "b"))
    decisions = [decision_about(VoteAction.SET_ASIDE, "b", "a")]
    assert affected_versions(before, decisions, VoteAction.KEEP, "c") == ("b",)
    assert affected_versions(before, decisions, VoteAction.KEEP, "b") == ("a",)
    assert affected_versions(before, decisions, VoteAction.RE_ASK, "c") == ("a", "b")


def test_only_items_with_the_labels_are_re_asked() -> None:
    before = [
        annotation(1, "a", "gender"),
        annotation(2, "a", "age", "gender"),
        annotation(3, "a", "age"),
        annotation(4, "b", "gender"),
        annotation(5, "a", standing=Standing.ASIDE, reason=AsideReason.DUPLICATE),
        annotation(6, "a", "gender", source=LabelSource.SEED),
    ]
    items = items_with_labels(before, ["gender"])
    assert items == {"item 1", "item 2", "item 4"}
    changes = apply_decision(before, ["a"], VoteAction.RE_ASK, items)
    assert [(a.key, a.reason) for a in changes] == [
        ("ls:1", AsideReason.ASKED_AGAIN),
        ("ls:2", AsideReason.ASKED_AGAIN),
    ]
    assert {a.key for a in apply_decision(before, ["a"], VoteAction.RE_ASK)} == {
        "ls:1",
        "ls:2",
        "ls:3",
    }
    assert all((a.at, a.labels) == (NOW, before[i].labels) for i, a in enumerate(changes))
