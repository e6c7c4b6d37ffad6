"""How many votes an item gets, and which of its annotations count."""

from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import SLIPS, AsideReason
from biasloop.domain.votes.vote import VotePlan, answered_items, settle_votes
from support.annotations import vote

PLAN = VotePlan()
ANNOTATORS = ("anna", "bea", "carla", "dora", "ester")
LABELS = ("age",)


def annotation(
    number: int, annotator: str, *labels: str, standing: Standing = Standing.VOTE, item: str = "i"
) -> Annotation:
    facts = {"key": f"ls:{number}", "standing": standing, "asked": LABELS, "task_id": 1}
    return vote(item, *labels, annotator=annotator, **facts)


def test_votes_needed() -> None:
    age, none = ("age",), ("inclusive",)
    assert [PLAN.votes_needed(False, [age] * n) for n in range(3)] == [1, 1, 1]
    assert [PLAN.votes_needed(True, votes) for votes in ([], [age], [age, age])] == [2, 2, 2]
    assert PLAN.votes_needed(True, [age, none]) == PLAN.votes_needed(True, [age, none, age]) == 3
    assert PLAN.votes_needed(True, [("age", "gender"), ("gender", "age")]) == 2
    assert VotePlan(per_item=3).votes_needed(True, []) == 3
    assert VotePlan(tie_break=0).votes_needed(True, [age, none]) == 2


votes = st.lists(
    st.tuples(
        st.sampled_from(ANNOTATORS),
        st.sampled_from(["age", "inclusive"]),
        st.sampled_from([Standing.VOTE, Standing.VOTE, Standing.SKIP, Standing.ASIDE]),
    ),
    max_size=8,
)


@given(votes, st.booleans(), st.integers(1, 3), st.integers(1, 3), st.integers(0, 1))
def test_one_vote_per_annotator_and_no_more_than_needed(
    rows: list[tuple[str, str, Standing]],
    audit: bool,
    per_item: int,
    audit_votes: int,
    tie_break: int,
) -> None:
    plan = VotePlan(per_item, audit_votes, tie_break)
    submitted = [
        annotation(i, who, label, standing=standing)
        for i, (who, label, standing) in enumerate(rows)
    ]
    settled = settle_votes(submitted, plan, audit)
    counted = [a for a in settled if a.standing is Standing.VOTE]
    assert [a.key for a in settled] == [a.key for a in submitted]
    assert len({a.annotator for a in counted}) == len(counted)
    assert len(counted) <= plan.votes_needed(audit, [a.labels for a in counted])
    voters = {a.annotator for a in submitted if a.standing is Standing.VOTE}
    # No vote is left out that is needed: all annotators' votes count, or no vote is missing.
    left_out = voters - {a.annotator for a in counted}
    assert not left_out or plan.votes_missing(audit, [a.labels for a in counted]) == 0
    for before, after in zip(submitted, settled, strict=True):
        if before != after:
            assert before.standing is Standing.VOTE
            assert AsideReason(after.reason) in (AsideReason.DUPLICATE, AsideReason.OVER)
            assert after.reason not in SLIPS


def test_votes_on_another_task_of_the_item_count_first() -> None:
    before = [annotation(1, "anna", "age")]
    (again, over) = settle_votes(
        [annotation(2, "anna", "age"), annotation(3, "bea", "age")], PLAN, False, before
    )
    assert (again.reason, over.reason) == (AsideReason.DUPLICATE, AsideReason.OVER)


def test_answered_items() -> None:
    annotations = [
        annotation(1, "anna", "age"),
        annotation(2, "bea", "age"),
        annotation(3, "anna", "age", item="one vote"),
        annotation(4, "anna", item="skipped", standing=Standing.SKIP),
        annotation(5, "anna", item="aside", standing=Standing.ASIDE),
    ]
    assert answered_items(annotations, 1) == {"i", "one vote", "skipped"}
    assert answered_items(annotations, 2) == {"i", "skipped"}
