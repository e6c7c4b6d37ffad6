"""Events, bookmarks and leases in the ledger, by which processes steer the loop."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from biasloop.domain.round import PauseState, State, has_passed
from biasloop.store.database import Database
from biasloop.store.schema import bookmarks, events, leases


class Event(StrEnum):
    """Kinds of event. Changes of a round's State and of the loop's PauseState are events too."""

    IMPORTED = "imported"
    IMPORT_UNDONE = "import undone"
    TAKEN_DOWN = "taken down"
    FAILED = "failed"  # a step of a round
    GUIDELINE_ADOPTED = "guideline adopted"
    GUIDELINE_BACK = "guideline"  # an earlier version is in force again
    POLICY_DECIDED = "policy decision"
    LABEL_RENAMED = "label renamed"


class Bookmark(StrEnum):
    """Names of the values that outlive a process."""

    PROJECT = "labelstudio_project"
    POLL_CURSOR = "poll_cursor"
    POLL_WITNESS = "poll_witness"  # the task of the cursor; if it is gone, an older copy is back
    LOSSES = "lost_answers"  # many answers gone at once, until somebody decides; None: none are
    UNREADABLE = "unreadable_tasks"  # item by task that Label Studio cannot list
    TROUBLE = "labelstudio_trouble"  # why the last poll failed; None if it succeeded
    BACKUPS = "backups"  # the folders into which the workspace was copied
    SETTINGS = "settings"  # by key: digest of the settings with which the running service started


SCHEDULER_LEASE = "scheduler"
"""The lease that the service which runs the loop holds."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Who held a lease last, and until when; it may be over."""

    owner: str
    until: datetime


class Control:
    """Events, bookmarks and leases. Events are only ever appended."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def note(self, kind: Event | State | PauseState, data: dict[str, Any], now: datetime) -> None:
        """Records an event that is not about a round."""
        with self._db.write() as connection:
            connection.execute(sa.insert(events).values(at=now, kind=str(kind), data=data))

    def events(self, limit: int = 50) -> list[dict[str, Any]]:
        """The newest events, newest first."""
        with self._db.read() as connection:
            query = sa.select(events).order_by(events.c.seq.desc()).limit(limit)
            return [dict(row._mapping) for row in connection.execute(query)]

    def sequence(self) -> int:
        """The sequence number of the newest event; 0 without any. Every change of a round, and of
        what is to be done, is an event."""
        with self._db.read() as connection:
            return connection.execute(sa.select(sa.func.max(events.c.seq))).scalar() or 0

    def events_of(self, round_id: int) -> dict[str, datetime]:
        """Time of the last event of each kind in a round."""
        query = sa.select(events.c.kind, events.c.at).where(events.c.round_id == round_id)
        with self._db.read() as connection:
            return {row.kind: row.at for row in connection.execute(query.order_by(events.c.seq))}

    def events_after(self, sequence: int) -> list[dict[str, Any]]:
        """The events with a later sequence number, oldest first."""
        with self._db.read() as connection:
            query = sa.select(events).where(events.c.seq > sequence).order_by(events.c.seq)
            return [dict(row._mapping) for row in connection.execute(query)]

    def last_event(self, kind: Event | State | PauseState) -> datetime | None:
        """Time of the last event of this kind; None if there was none."""
        query = (
            sa.select(events.c.at).where(events.c.kind == str(kind)).order_by(events.c.seq.desc())
        )
        with self._db.read() as connection:
            return connection.execute(query.limit(1)).scalar()

    def pause_state(self) -> PauseState:
        """Whether the loop should run, drain or pause."""
        query = (
            sa.select(events.c.kind)
            .where(events.c.kind.in_(list(PauseState)))
            .order_by(events.c.seq.desc())
            .limit(1)
        )
        with self._db.read() as connection:
            return PauseState(connection.execute(query).scalar() or PauseState.RUNNING)

    def bookmark(self, name: Bookmark) -> Any:
        """The stored value; None if there is none."""
        with self._db.read() as connection:
            query = sa.select(bookmarks.c.value).where(bookmarks.c.name == str(name))
            return connection.execute(query).scalar()

    def set_bookmark(self, name: Bookmark, value: Any) -> None:
        """Stores a value."""
        with self._db.write() as connection:
            connection.execute(sa.delete(bookmarks).where(bookmarks.c.name == str(name)))
            connection.execute(sa.insert(bookmarks).values(name=str(name), value=value))

    def hold_lease(self, name: str, owner: str, now: datetime, seconds: float) -> bool:
        """Takes or renews the named lease; False while another owner holds it."""
        with self._db.write() as connection:
            row = connection.execute(sa.select(leases).where(leases.c.name == name)).first()
            if row is not None and row.owner != owner and not has_passed(row.until, now):
                return False
            connection.execute(sa.delete(leases).where(leases.c.name == name))
            until = now + timedelta(seconds=seconds)
            connection.execute(sa.insert(leases).values(name=name, owner=owner, until=until))
            return True

    def release_lease(self, name: str, owner: str, now: datetime) -> None:
        """Ends the lease, if this owner holds it."""
        with self._db.write() as connection:
            ours = (leases.c.name == name, leases.c.owner == owner)
            connection.execute(sa.update(leases).where(*ours).values(until=now))

    def return_lease(self, name: str, owner: str, former: Lease | None) -> None:
        """Gives up a lease that this owner holds, and makes it what it was before (`former`), as if
        this owner had never held it."""
        with self._db.write() as connection:
            ours = (leases.c.name == name, leases.c.owner == owner)
            if connection.execute(sa.delete(leases).where(*ours)).rowcount and former is not None:
                values = {"name": name, "owner": former.owner, "until": former.until}
                connection.execute(sa.insert(leases).values(values))

    def lease(self, name: str) -> Lease | None:
        """The named lease, whether or not it is over; None if nobody ever held it."""
        with self._db.read() as connection:
            row = connection.execute(sa.select(leases).where(leases.c.name == name)).first()
            return Lease(row.owner, row.until) if row else None
