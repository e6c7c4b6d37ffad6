"""People, and their keys: links and sessions. Of a key only the digest is stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from biasloop.domain.person import Person
from biasloop.errors import LedgerError
from biasloop.store.database import Database
from biasloop.store.schema import keys, people

MAX_SESSIONS = 20
"""When somebody has more, the oldest end: a link may be opened any number of times."""


class KeyKind(StrEnum):
    """What a key is: a link that was handed out, or a session that was begun with one."""

    LINK = "link"
    SESSION = "session"


@dataclass(frozen=True, slots=True)
class Key:
    """Proves, until a time, that somebody is this person."""

    kind: KeyKind
    person_id: str
    made_at: datetime
    until: datetime


class People:
    """The people of a workspace. Those who are removed stay known by their pseudonym."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def all(self) -> list[Person]:
        """Everyone who was ever added, in that order."""
        with self._db.read() as connection:
            rows = connection.execute(sa.select(people).order_by(people.c.added_at, people.c.id))
            return [_person(row) for row in rows]

    def find(self, email: str) -> Person | None:
        """The person with this address who was not removed."""
        with self._db.read() as connection:
            row = connection.execute(_with_email(email)).first()
            return _person(row) if row else None

    def add(self, person: Person) -> Person:
        """Adds somebody; one with that address who is there already is returned instead."""
        with self._db.write() as connection:
            if row := connection.execute(_with_email(person.email)).first():
                return _person(row)
            values = {name: getattr(person, name) for name in Person.__slots__}
            connection.execute(sa.insert(people).values(**values))
            return person

    def rename(self, person_id: str, name: str) -> None:
        """Changes somebody's name."""
        self._update(person_id, {"name": name})

    def remove(self, person_id: str, now: datetime) -> None:
        """Ends all that somebody may do. Their pseudonym, and with it their votes, stay."""
        self._update(person_id, {"removed_at": now})
        self.revoke(person_id)

    def erase(self, person_id: str) -> None:
        """Replaces name and address by nothing, also in what SQLite keeps of old pages."""
        self._update(person_id, {"name": "", "email": ""})
        self._db.drop_old_pages()

    def record_guideline(self, person_id: str, policy_id: str) -> None:
        """Records that this version of the guideline was shown in full."""
        self._update(person_id, {"policy_id": policy_id})

    def _update(self, person_id: str, values: Mapping[str, object]) -> None:
        with self._db.write() as connection:
            query = sa.update(people).where(people.c.id == person_id).values(**values)
            if connection.execute(query).rowcount != 1:
                raise LedgerError(f"nobody has the pseudonym {person_id!r}")

    # --- keys ----------------------------------------------------------------------------------

    def add_link(self, link: str, person_id: str, now: datetime, until: datetime) -> None:
        """Lets the secret `link` begin sessions of somebody."""
        with self._db.write() as connection:
            _insert_key(connection, link, Key(KeyKind.LINK, person_id, now, until))

    def begin_session(
        self, link: str, session: str, now: datetime
    ) -> tuple[Person, datetime] | None:
        """Lets the secret `session` open what the secret of this link opens, until the link ends.
        Returns (whose it is, until when); None if the link is not valid.

        One transaction, so that no session begins while the link is being revoked.
        """
        with self._db.write() as connection:
            row = connection.execute(_valid_key(link, KeyKind.LINK, now)).first()
            if row is None:
                return None
            _insert_key(connection, session, Key(KeyKind.SESSION, row.id, now, row.until))
            return _person(row), row.until

    def person_with_session(self, session: str, now: datetime) -> Person | None:
        """Whose session this is; None if it was revoked, is over, or never was one."""
        with self._db.read() as connection:
            row = connection.execute(_valid_key(session, KeyKind.SESSION, now)).first()
            return _person(row) if row else None

    def keys_of(self, person_id: str, now: datetime) -> list[Key]:
        """The keys of somebody that are still valid, oldest first."""
        query = sa.select(keys).where(keys.c.person_id == person_id, keys.c.until > now)
        with self._db.read() as connection:
            rows = connection.execute(query.order_by(keys.c.made_at))
            return [Key(KeyKind(row.kind), row.person_id, row.made_at, row.until) for row in rows]

    def revoke(self, person_id: str, secret: str | None = None) -> int:
        """Ends one key of somebody, or all of them; returns how many."""
        query = sa.delete(keys).where(keys.c.person_id == person_id)
        if secret is not None:
            query = query.where(keys.c.digest == _digest(secret))
        with self._db.write() as connection:
            return connection.execute(query).rowcount


def _with_email(email: str) -> sa.Select[tuple[object, ...]]:
    return sa.select(people).where(people.c.email == email, people.c.removed_at.is_(None))


def _valid_key(secret: str, kind: KeyKind, now: datetime) -> sa.Select[tuple[object, ...]]:
    """The person whose key this is, with the key's end."""
    return (
        sa.select(people, keys.c.until)
        .join(keys, keys.c.person_id == people.c.id)
        .where(
            keys.c.digest == _digest(secret),
            keys.c.kind == kind,
            keys.c.until > now,
            people.c.removed_at.is_(None),
        )
    )


def _insert_key(connection: Connection, secret: str, key: Key) -> None:
    """Adds a key. Keys that are over are forgotten, and the oldest sessions of somebody who has too
    many."""
    connection.execute(sa.delete(keys).where(keys.c.until <= key.made_at))
    values = {name: getattr(key, name) for name in Key.__slots__}
    connection.execute(sa.insert(keys).values(digest=_digest(secret), **values))
    older = (
        sa.select(keys.c.digest)
        .where(keys.c.person_id == key.person_id, keys.c.kind == KeyKind.SESSION)
        .order_by(keys.c.made_at.desc())
        .offset(MAX_SESSIONS)
    )
    connection.execute(sa.delete(keys).where(keys.c.digest.in_(older)))


def _person(row: sa.Row[tuple[object, ...]]) -> Person:
    return Person(**{name: getattr(row, name) for name in Person.__slots__})


def _digest(secret: str) -> str:
    # Secrets are random and long, so nothing slower is needed.
    return sha256(secret.encode()).hexdigest()
