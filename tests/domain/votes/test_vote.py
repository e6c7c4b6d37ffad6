"""How many votes an item gets, and which of its annotations count."""

from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import AsideReason
from biasloop.domain.votes.vote import VotePlan, answered_items, settle_votes
from support.annotations import vote

PLAN = VotePlan()
PEOPLE = ("anna", "bea", "carla", "dora", "ester")
LABELS = ("age",)


def said(
    number: int, annotator: str, *labels: str, standing: Standing = Standing.VOTE, item: str = "i"
) -> Annotation:
    facts = {"key": f"ls:{number}", "standing": standing, "asked": LABELS, "task_id": 1}
    return vote(item, *labels, annotator=annotator, **facts)


def test_votes_wanted() -> None:
    age, none = ("age",), ("inclusive",)
    assert [PLAN.votes_needed(False, [age] * n) for n in range(3)] == [1, 1, 1]
    assert [PLAN.votes_needed(True, votes) for votes in ([], [age], [age, age])] == [2, 2, 2]
    assert PLAN.votes_needed(True, [age, none]) == PLAN.votes_needed(True, [age, none, age]) == 3
    assert PLAN.votes_needed(True, [("age", "gender"), ("gender", "age")]) == 2
    assert VotePlan(per_item=3).votes_needed(True, []) == 3
    assert VotePlan(tie_break=0).votes_needed(True, [age, none]) == 2


votes = st.lists(
    st.tuples(
        st.sampled_from(PEOPLE),
        st.sampled_from(["age", "inclusive"]),
        st.sampled_from([Standing.VOTE, Standing.VOTE, Standing.SKIP, Standing.ASIDE]),
    ),
    max_size=8,
)


@given(votes, st.booleans(), st.integers(1, 3), st.integers(1, 3), st.integers(0, 1))
def test_one_vote_a_person_and_no_more_than_wanted(
    rows: list[tuple[str, str, Standing]], audit: bool, per_item: int, of_audit: int, more: int
) -> None:
    plan = VotePlan(per_item, of_audit, more)
    given_ = [said(i, who, what, standing=how) for i, (who, what, how) in enumerate(rows)]
    settled = settle_votes(given_, plan, audit)
    counted = [a for a in settled if a.standing is Standing.VOTE]
    assert [a.key for a in settled] == [a.key for a in given_]
    assert len({a.annotator for a in counted}) == len(counted)
    assert len(counted) <= plan.votes_needed(audit, [a.labels for a in counted])
    voters = {a.annotator for a in given_ if a.standing is Standing.VOTE}
    # Nothing is lost that was wanted: either all who voted count, or nothing is missing.
    left_out = voters - {a.annotator for a in counted}
    assert not left_out or plan.votes_missing(audit, [a.labels for a in counted]) == 0
    for before, after in zip(given_, settled, strict=True):
        if before != after:
            assert before.standing is Standing.VOTE
            assert AsideReason(after.reason) in (AsideReason.DUPLICATE, AsideReason.OVER)
            assert not AsideReason(after.reason).fixable


def test_votes_on_another_task_of_the_item_count_first() -> None:
    before = [said(1, "anna", "age")]
    (again, over) = settle_votes(
        [said(2, "anna", "age"), said(3, "bea", "age")], PLAN, False, before
    )
    assert (again.reason, over.reason) == (AsideReason.DUPLICATE, AsideReason.OVER)


def test_what_holds_no_round_up() -> None:
    found = [
        said(1, "anna", "age"),
        said(2, "bea", "age"),
        said(3, "anna", "age", item="one vote"),
        said(4, "anna", item="skipped", standing=Standing.SKIP),
        said(5, "anna", item="aside", standing=Standing.ASIDE),
    ]
    assert answered_items(found, 1) == {"i", "one vote", "skipped"}
    assert answered_items(found, 2) == {"i", "skipped"}
