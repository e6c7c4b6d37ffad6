"""Links, sessions and removal: one way in, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.access.access import Access
from biasloop.access.attempts import FailedAttempts
from biasloop.domain.person import LABELLING, Person, email_problem
from biasloop.errors import DataError
from biasloop.store.ledger import Ledger
from biasloop.store.people import MAX_SESSIONS, KeyKind

DAYS = 30


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def access(ledger: Ledger, clock: Clock) -> Access:
    return Access(ledger.people, DAYS, clock)


def test_a_link_begins_sessions_until_it_ends(access: Access, clock: Clock) -> None:
    anna = access.add("Anna@Example.org", "Anna  Verdi")
    assert (anna.email, anna.name) == ("anna@example.org", "Anna Verdi")
    link, until = access.make_link(anna)
    assert until == clock.now + timedelta(days=DAYS)
    begun = access.begin_session(link)
    assert begun is not None
    person, session, _ = begun
    assert person == access.person_with_session(session) == anna
    assert access.person_with_session(link) is None  # a link is no session
    assert access.begin_session(session) is None  # nor a session a link
    clock.now = until
    assert access.begin_session(link) is None
    assert access.person_with_session(session) is None


def test_adding_somebody_again_finds_them_and_keeps_the_pseudonym(access: Access) -> None:
    first = access.add("anna@example.org")
    again = access.add("ANNA@example.org", "Anna")
    assert (again.id, again.name) == (first.id, "Anna")
    assert "anna" not in first.account


def test_no_session_outlives_its_link(access: Access, clock: Clock) -> None:
    link, until = access.make_link(access.add("anna@example.org"))
    clock.now = until - timedelta(minutes=1)
    begun = access.begin_session(link)
    assert begun is not None
    assert begun[2] == until


def test_no_session_begins_while_its_link_is_revoked(access: Access) -> None:
    for _ in range(20):
        anna = access.add("anna@example.org")
        link, _ = access.make_link(anna)
        with ThreadPoolExecutor(3) as threads:
            begun = [threads.submit(access.begin_session, link) for _ in range(2)]
            threads.submit(access.revoke, anna).result()
            sessions = [opened[1] for future in begun if (opened := future.result())]
        assert not any(access.person_with_session(session) for session in sessions)


@pytest.mark.parametrize("other", ["É@x.org", "e\u0301@x.org", " é@X.ORG "])
def test_one_address_is_one_person_however_it_is_written(access: Access, other: str) -> None:
    assert access.add(other) == access.add("é@x.org")


def test_everything_ends_at_once_when_it_is_revoked(access: Access) -> None:
    anna, bruno = access.add("anna@example.org"), access.add("bruno@example.org")
    links = [access.make_link(person)[0] for person in (anna, anna, bruno)]
    sessions = [begun[1] for link in links if (begun := access.begin_session(link))]
    assert access.revoke(anna) == 4
    assert [access.person_with_session(session) for session in sessions] == [None, None, bruno]
    assert [access.begin_session(link) is None for link in links] == [True, True, False]
    new, _ = access.make_link(anna)
    assert access.begin_session(new)


def test_removed_people_stay_known_and_come_back_as_somebody_else(access: Access) -> None:
    anna = access.add("anna@example.org")
    link, _ = access.make_link(anna)
    access.remove(anna)
    assert access.begin_session(link) is None
    with pytest.raises(DataError, match="annotator add"):
        access.require("anna@example.org")
    assert access.add("anna@example.org").id != anna.id
    assert anna.id in {person.id for person in access.people.all()}


def test_a_link_that_is_opened_often_fills_nothing(access: Access, clock: Clock) -> None:
    anna = access.add("anna@example.org")
    link, _ = access.make_link(anna)
    begun = [access.begin_session(link) for _ in range(MAX_SESSIONS + 5)]
    kinds = [key.kind for key in access.people.keys_of(anna.id, clock.now)]
    assert kinds.count(KeyKind.SESSION) == MAX_SESSIONS
    assert KeyKind.LINK in kinds
    assert (
        sum(b is not None and access.person_with_session(b[1]) is not None for b in begun)
        == MAX_SESSIONS
    )


def test_a_role_is_data_and_an_unknown_one_opens_nothing(access: Access) -> None:
    assert access.add("anna@example.org").may_enter(LABELLING)
    assert not access.add("carla@example.org", role="viewer").may_enter(LABELLING)


@pytest.mark.parametrize("email", ["", "anna", "anna@", "a b@example.org", "x" * 250 + "@e.org"])
def test_what_is_no_address_is_refused(access: Access, email: str) -> None:
    with pytest.raises(DataError, match="not an e-mail address"):
        access.add(email)


@given(st.text(max_size=300))
def test_no_address_can_hold_markup_or_lines(text: str) -> None:
    if email_problem(text) is None:
        assert not set(text) & set('<>"\n\r\t ')


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 30)), max_size=30))
def test_only_recent_failures_of_the_same_address_count(steps: list[tuple[str, float]]) -> None:
    now = 0.0
    attempts = FailedAttempts(3, 60.0, lambda: now)
    failed: list[tuple[str, float]] = []
    for address, later in steps:
        now += later
        recent = [at for name, at in failed if name == address and at > now - 60]
        assert attempts.too_many(address) == (len(recent) >= 3)
        attempts.add(address)
        failed.append((address, now))


def test_the_account_names_nobody() -> None:
    anna = Person("p-1", "anna@example.org", "Anna", "annotator", datetime.now(UTC))
    assert anna.account == "p-1@biasloop.invalid"
