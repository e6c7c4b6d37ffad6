"""Reviews of texts by language models, in the ledger: appended, the last one counts."""

from datetime import UTC, datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from biasloop.domain.measure.probation import BoundedEstimate, Review
from biasloop.domain.round import Done
from biasloop.store.ledger import Ledger

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

figures = st.floats(-1, 1, allow_subnormal=False)
estimates = st.builds(BoundedEstimate, figures, figures)
random_reviews = st.builds(
    Review,
    kept=st.booleans(),
    why=st.sampled_from(["no gain: è così", "mean average precision +0.020"]),
    up_to=st.integers(0, 10**6),
    texts=st.integers(1, 10**6),
    weight=figures,
    gain=estimates,
    wrong=estimates,
    measured=st.lists(st.sampled_from(["age", "età", "gender"]), unique=True).map(tuple),
    n_items=st.integers(0, 10**6),
    n_roots=st.integers(0, 10**6),
)


def test_there_are_none_at_first(ledger: Ledger) -> None:
    assert ledger.reviews() == []


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(reviews=st.lists(random_reviews, max_size=3))
def test_they_come_back_as_they_went_in_and_in_order(ledger: Ledger, reviews: list[Review]) -> None:
    before = ledger.reviews()
    for review in reviews:
        ledger.add([review], NOW)
    assert ledger.reviews() == [*before, *((None, review) for review in reviews)]


def test_a_step_commits_its_trial_with_the_round(ledger: Ledger) -> None:
    review = Review(
        False,
        "no gain",
        7,
        12,
        0.5,
        BoundedEstimate(-0.1, -0.2),
        BoundedEstimate(0, -0.1),
        ("age",),
        90,
        60,
    )
    opened = ledger.rounds.open({}, NOW)
    assert opened is not None
    held = ledger.rounds.claim(NOW, "me", NOW)
    assert held is not None
    ledger.rounds.commit(held, Done({"probation": review.as_dict()}, (review,)), NOW)
    assert ledger.reviews() == [(opened.id, review)]
    assert Review.from_dict(ledger.rounds.get(opened.id).facts["probation"]) == review
