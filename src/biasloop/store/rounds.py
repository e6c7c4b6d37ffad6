"""Rounds in the ledger: open, claim, commit, wait, fail, cancel them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from biasloop.domain.round import (
    AFTER_LABELLING,
    BEFORE_LABELLING,
    FINISHED,
    STEPS,
    Claim,
    Done,
    Round,
    State,
    Wait,
    has_passed,
)
from biasloop.errors import LedgerError, LostLease
from biasloop.store.control import Event
from biasloop.store.database import Database
from biasloop.store.records import insert_records
from biasloop.store.schema import events, rounds

_PRIORITY = dict.fromkeys(BEFORE_LABELLING, 0) | {State.PUSHED: 1}


class Rounds:
    """The rounds of the campaign; every change is one short transaction."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def all(self) -> tuple[Round, ...]:
        """Every round, oldest first."""
        with self._db.read() as connection:
            return tuple(
                _round(row) for row in connection.execute(sa.select(rounds).order_by(rounds.c.id))
            )

    def live(self) -> tuple[Round, ...]:
        """The rounds that are neither closed nor cancelled, oldest first."""
        query = sa.select(rounds).where(rounds.c.state.not_in(FINISHED)).order_by(rounds.c.id)
        with self._db.read() as connection:
            return tuple(_round(row) for row in connection.execute(query))

    def get(self, round_id: int) -> Round:
        """One round. Raises LedgerError when there is no round with this id."""
        with self._db.read() as connection:
            row = connection.execute(sa.select(rounds).where(rounds.c.id == round_id)).first()
        if row is None:
            raise LedgerError(f"there is no round {round_id}; `biasloop status` lists them")
        return _round(row)

    def open(self, facts: Mapping[str, Any], now: datetime) -> Round | None:
        """Opens the next round; None if a round is not labelled yet, as when another process has
        just opened one."""
        with self._db.write() as connection:
            live = sa.select(sa.func.count()).where(
                rounds.c.state.not_in([*FINISHED, *AFTER_LABELLING])
            )
            if connection.execute(live).scalar_one():
                return None
            last = connection.execute(sa.select(sa.func.max(rounds.c.id))).scalar()
            number = 0 if last is None else last + 1
            connection.execute(
                sa.insert(rounds).values(
                    id=number,
                    state=State.OPENED,
                    facts=dict(facts),
                    opened_at=now,
                    attempts=0,
                    token=0,
                )
            )
            _event(connection, number, State.OPENED, facts, now)
        return self.get(number)

    def claim(self, now: datetime, owner: str, until: datetime) -> Claim | None:
        """Claims the most urgent round that is due and whose lease is free; None if there is none.

        Rounds that annotators have not labelled yet come first (R6: annotators do not wait for the
        machine). Of the labelled rounds only the oldest goes on.
        """
        with self._db.write() as connection:
            rows = connection.execute(
                sa.select(rounds).where(rounds.c.state.not_in(FINISHED)).order_by(rounds.c.id)
            ).all()
            labelled = [row.id for row in rows if row.state in AFTER_LABELLING]
            due = [
                row
                for row in rows
                if has_passed(row.retry_at, now)
                and has_passed(row.lease_until, now)
                and row.id not in labelled[1:]
            ]
            if not due:
                return None
            row = min(due, key=lambda row: (_PRIORITY.get(row.state, 2), row.id))
            token = row.token + 1
            connection.execute(
                sa.update(rounds)
                .where(rounds.c.id == row.id)
                .values(owner=owner, lease_until=until, token=token)
            )
        return Claim(_round(row), token, owner)

    def renew(self, claim: Claim, until: datetime) -> None:
        """Extends the claim while its step runs. Raises LostLease when it no longer holds."""
        with self._db.write() as connection:
            self._update(connection, claim, lease_until=until)

    def commit(self, claim: Claim, done: Done, now: datetime) -> None:
        """Stores facts, records, event and new state in one transaction. Raises LostLease."""
        _, state = STEPS[claim.round.state]
        with self._db.write() as connection:
            facts = self._stored_facts(connection, claim.round.id) | dict(done.facts)
            self._update(
                connection,
                claim,
                state=state,
                facts=facts,
                attempts=0,
                error=None,
                waits_for=None,
                retry_at=None,
                owner=None,
                lease_until=None,
                closed_at=now if state in FINISHED else None,
            )
            insert_records(connection, claim.round.id, done.records, now)
            _event(connection, claim.round.id, state, done.facts, now)

    def wait(self, claim: Claim, wait: Wait) -> None:
        """Releases the claim until a later time. Raises LostLease."""
        with self._db.write() as connection:
            self._update(
                connection,
                claim,
                attempts=0,
                error=None,
                waits_for=wait.why,
                retry_at=wait.until,
                owner=None,
                lease_until=None,
            )

    def fail(self, claim: Claim, error: str, retry_at: datetime, now: datetime) -> None:
        """Records a failure; the state stays, so the same step runs again. Raises LostLease."""
        attempts = claim.round.attempts + 1
        with self._db.write() as connection:
            self._update(
                connection,
                claim,
                attempts=attempts,
                error=error,
                retry_at=retry_at,
                owner=None,
                lease_until=None,
            )
            data = {"step": claim.round.step, "error": error, "attempts": attempts}
            _event(connection, claim.round.id, Event.FAILED, data, now)

    def wake(self, state: State) -> None:
        """Makes rounds that wait in this state due at once; after a failure the back-off stays."""
        with self._db.write() as connection:
            connection.execute(
                sa.update(rounds)
                .where(rounds.c.state == state, rounds.c.error.is_(None))
                .values(retry_at=None)
            )

    def cancel(self, round_id: int, why: str, now: datetime) -> Round:
        """Ends a round for good; a process that works on it loses the lease.

        Raises LedgerError when there is no such round, or when it is closed or cancelled already.
        """
        round_ = self.get(round_id)
        with self._db.write() as connection:
            changed = connection.execute(
                sa.update(rounds)
                .where(rounds.c.id == round_id, rounds.c.state.not_in(FINISHED))
                .values(
                    state=State.CANCELLED,
                    token=rounds.c.token + 1,
                    closed_at=now,
                    owner=None,
                    lease_until=None,
                    error=None,
                    waits_for=None,
                    retry_at=None,
                )
            ).rowcount
            if not changed:
                raise LedgerError(f"round {round_id} is {round_.state} already")
            _event(connection, round_id, State.CANCELLED, {"why": why}, now)
        return self.get(round_id)

    @staticmethod
    def _stored_facts(connection: Connection, round_id: int) -> dict[str, Any]:
        stored = connection.execute(
            sa.select(rounds.c.facts).where(rounds.c.id == round_id)
        ).scalar_one()
        return dict(stored)

    @staticmethod
    def _update(connection: Connection, claim: Claim, **values: Any) -> None:
        """Changes the claimed round. Raises LostLease when the claim no longer holds."""
        changed = connection.execute(
            sa.update(rounds)
            .where(
                rounds.c.id == claim.round.id,
                rounds.c.state == claim.round.state,
                rounds.c.token == claim.token,
            )
            .values(**values)
        ).rowcount
        if changed != 1:
            raise LostLease(
                f"round {claim.round.id} was taken over while its step "
                f"{claim.round.step} ran; this result is discarded"
            )


def _round(row: Row[Any]) -> Round:
    return Round(
        id=row.id,
        state=State(row.state),
        facts=row.facts,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        attempts=row.attempts,
        error=row.error,
        waits_for=row.waits_for,
        retry_at=row.retry_at,
    )


def _event(
    connection: Connection,
    round_id: int,
    kind: Event | State,
    data: Mapping[str, Any],
    now: datetime,
) -> None:
    connection.execute(
        sa.insert(events).values(at=now, round_id=round_id, kind=str(kind), data=dict(data))
    )
