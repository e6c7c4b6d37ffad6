"""What becomes of votes given under an older guideline."""

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


def decided(action: VoteAction, current: str, *older: str) -> PolicyDecision:
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
).map(lambda made: [replace(a, key=f"ls:{n}", item_id=f"item {n}") for n, a in enumerate(made)])


def after(known: list[Annotation], news: list[Annotation]) -> list[Annotation]:
    changed = {a.key: a for a in news}
    return [changed.get(a.key, a) for a in known]


def test_a_label_described_otherwise_is_another_guideline() -> None:
    text = Policy("Linee guida")
    assert Policy("Linee guida", {}) == text
    assert len({text.id, Policy("Linee guida", {"age": "x"}).id, Policy("Linee guidax").id}) == 3
    assert Policy("a", {"x": "1", "y": "2"}).id == Policy("a", {"y": "2", "x": "1"}).id


def test_votes_wait_until_somebody_decides_for_the_version_in_force() -> None:
    votes = {"a": 3, "b": 2, "c": 1}
    assert versions_to_decide(votes, [], "c") == {"a", "b"}
    assert versions_to_decide(votes, [decided(VoteAction.KEEP, "b", "a")], "c") == {"a", "b"}
    assert versions_to_decide(votes, [decided(VoteAction.KEEP, "c", "a", "b")], "c") == set()
    assert versions_to_decide(votes, [decided(VoteAction.RE_ASK, "c", "a", "b")], "c") == set()
    # Votes that came in late count until they are set aside as well.
    assert versions_to_decide(votes, [decided(VoteAction.SET_ASIDE, "c", "a", "b")], "c") == {
        "a",
        "b",
    }
    assert versions_to_decide({"c": 9}, [], "c") == set()


@given(annotations)
def test_set_aside_and_keep_undo_each_other(known: list[Annotation]) -> None:
    older = affected_versions(known, [], VoteAction.SET_ASIDE, "c")
    without = after(known, apply_decision(known, older, VoteAction.SET_ASIDE))
    assert count_votes_by_policy(without).keys() <= {"c"}
    assert not apply_decision(without, older, VoteAction.SET_ASIDE)
    decision = decided(VoteAction.SET_ASIDE, "c", *older)
    back = affected_versions(without, [decision], VoteAction.KEEP, "c")
    again = after(without, apply_decision(without, back, VoteAction.KEEP))
    good = {a.key for a in known if a.standing is Standing.VOTE and a.source is LabelSource.HUMAN}
    assert good <= {a.key for a in again if a.standing is Standing.VOTE}
    untouched = [a for a in known if a.source is LabelSource.SEED or a.policy_id == "c"]
    assert all(a in without for a in untouched)


def test_what_an_earlier_change_set_aside_stays_so() -> None:
    known = [annotation(1, "a", standing=Standing.ASIDE, reason=AsideReason.OLDER_POLICY)]
    known.append(annotation(2, "b"))
    decisions = [decided(VoteAction.SET_ASIDE, "b", "a")]
    assert affected_versions(known, decisions, VoteAction.KEEP, "c") == ("b",)
    assert affected_versions(known, decisions, VoteAction.KEEP, "b") == ("a",)
    assert affected_versions(known, decisions, VoteAction.RE_ASK, "c") == ("a", "b")


def test_only_items_that_carry_the_labels_are_asked_about_again() -> None:
    known = [
        annotation(1, "a", "gender"),
        annotation(2, "a", "age", "gender"),
        annotation(3, "a", "age"),
        annotation(4, "b", "gender"),
        annotation(5, "a", standing=Standing.ASIDE, reason=AsideReason.DUPLICATE),
        annotation(6, "a", "gender", source=LabelSource.SEED),
    ]
    items = items_with_labels(known, ["gender"])
    assert items == {"item 1", "item 2", "item 4"}
    news = apply_decision(known, ["a"], VoteAction.RE_ASK, items)
    assert [(a.key, a.reason) for a in news] == [
        ("ls:1", AsideReason.ASKED_AGAIN),
        ("ls:2", AsideReason.ASKED_AGAIN),
    ]
    assert {a.key for a in apply_decision(known, ["a"], VoteAction.RE_ASK)} == {
        "ls:1",
        "ls:2",
        "ls:3",
    }
    assert all((a.at, a.labels) == (NOW, known[i].labels) for i, a in enumerate(news))
