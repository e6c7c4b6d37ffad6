"""One way in for everyone: people are added, get a link, and begin a session with it.

A link and a session are random secrets; the ledger holds only their digests, and each ends by its
time, when it is revoked, or when its person is removed.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from secrets import token_hex, token_urlsafe

from biasloop.domain.person import (
    ANNOTATOR,
    Person,
    email_problem,
    name_problem,
    normalise_email,
)
from biasloop.errors import DataError
from biasloop.store.people import People

SECRET_BYTES = 24
MAX_SECRET = 64
"""No secret has more characters, so a longer one is not looked for."""


class Access:
    """Lets people in. A link is valid for `days`; the sessions begun with it end with it."""

    def __init__(
        self,
        people: People,
        days: float,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.people = people
        self._valid = timedelta(days=days)
        self._clock = clock

    def add(self, email: str, name: str = "", role: str = ANNOTATOR) -> Person:
        """Adds somebody, or finds them by their address; a new name replaces the old one.

        Raises DataError when address or name cannot be one.
        """
        email, name = normalise_email(email), " ".join(name.split())
        if problem := email_problem(email):
            raise DataError(f"{email[:80]!r} is not an e-mail address: {problem}")
        if problem := name_problem(name):
            raise DataError(f"the name {name[:80]!r} cannot be used: {problem}")
        person = self.people.add(Person(f"p-{token_hex(4)}", email, name, role, self._clock()))
        if name and person.name != name:
            self.people.rename(person.id, name)
        return self.require(email)

    def require(self, email: str) -> Person:
        """The person with this address. Raises DataError when there is none."""
        person = self.people.find(normalise_email(email))
        if person is None:
            raise DataError(
                f"nobody with the address {email[:80]!r} is here; `biasloop annotator list` shows "
                "everyone, `biasloop annotator add` adds somebody"
            )
        return person

    def make_link(self, person: Person) -> tuple[str, datetime]:
        """A new secret that lets this person in, and until when. Earlier ones stay valid."""
        secret, now = token_urlsafe(SECRET_BYTES), self._clock()
        self.people.add_link(secret, person.id, now, now + self._valid)
        return secret, now + self._valid

    def begin_session(self, link: str) -> tuple[Person, str, datetime] | None:
        """(person, secret of a new session, its end) for the secret of a link; None if it is not
        valid."""
        if not 0 < len(link) <= MAX_SECRET:
            return None
        secret = token_urlsafe(SECRET_BYTES)
        begun = self.people.begin_session(link, secret, self._clock())
        return begun and (begun[0], secret, begun[1])

    def person_with_session(self, session: str) -> Person | None:
        """Whose session this is; None if it is not valid."""
        if not 0 < len(session) <= MAX_SECRET:
            return None
        return self.people.person_with_session(session, self._clock())

    def end_session(self, person: Person, session: str) -> None:
        """Ends one session."""
        self.people.revoke(person.id, session)

    def revoke(self, person: Person) -> int:
        """Ends all links and sessions of somebody, who may get a new link; returns how many."""
        return self.people.revoke(person.id)

    def remove(self, person: Person) -> None:
        """Ends all that somebody may do, for good. Their votes stay under their pseudonym."""
        self.people.remove(person.id, self._clock())
