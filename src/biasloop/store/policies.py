"""Guideline versions in the ledger: what was in force when, and what was decided on older votes."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from biasloop.domain.annotation import Annotation
from biasloop.domain.policy import Policy, PolicyDecision, VoteAction
from biasloop.store.control import Event
from biasloop.store.database import Database
from biasloop.store.records import annotation, append_annotations, current_annotations, the_one
from biasloop.store.schema import events, policies


class Policies:
    """The guideline's versions and the decisions on them; both are only ever added to."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, policy: Policy, now: datetime) -> None:
        """This version is in force from now on, if it was not already."""
        with self._db.write() as connection:
            history = _history(connection)
            if policy.id not in {name for _, name in history}:
                row = {"id": policy.id, "at": now, "text": policy.text, "labels": policy.labels}
                connection.execute(sa.insert(policies), row)
            elif history[-1][1] != policy.id:
                data = {"policy": policy.id}
                connection.execute(
                    sa.insert(events).values(at=now, kind=str(Event.GUIDELINE_BACK), data=data)
                )

    def all(self) -> list[tuple[datetime, Policy]]:
        """Every version that was in force, with the moment it first was; oldest first."""
        query = sa.select(policies).order_by(policies.c.at, policies.c.id)
        with self._db.read() as connection:
            return [(row.at, Policy(row.text, row.labels)) for row in connection.execute(query)]

    def current(self) -> Policy | None:
        """The version in force; None before there is one."""
        history = self.history()
        return self.find(history[-1][1]) if history else None

    def find(self, name: str) -> Policy:
        """The version whose id begins so. Raises LedgerError, listing the known ones."""
        known = {policy.id: policy for _, policy in reversed(self.all())}
        return known[the_one(list(known), name, "version of the guideline", "versions")]

    def history(self) -> list[tuple[datetime, str]]:
        """(moment, id of the version that came into force then), oldest first; a version that came
        back stands there again."""
        with self._db.read() as connection:
            return _history(connection)

    def decide(
        self, decision: PolicyDecision, revise: Callable[[list[Annotation]], list[Annotation]]
    ) -> int:
        """Records a decision on votes under older versions, and what `revise` makes of the current
        annotations; returns how many changed."""
        with self._db.write() as connection:
            current = [annotation(row) for row in connection.execute(current_annotations())]
            changed = append_annotations(connection, revise(current))
            data = {name: value for name, value in asdict(decision).items() if name != "at"}
            connection.execute(
                sa.insert(events).values(
                    at=decision.at, kind=str(Event.POLICY_DECIDED), data=data | {"answers": changed}
                )
            )
            return changed

    def decisions(self) -> list[PolicyDecision]:
        """What was decided so far, oldest first."""
        query = (
            sa.select(events)
            .where(events.c.kind == str(Event.POLICY_DECIDED))
            .order_by(events.c.seq)
        )
        with self._db.read() as connection:
            return [
                PolicyDecision(
                    policy_id=row.data["policy_id"],
                    older=tuple(row.data["older"]),
                    action=VoteAction(row.data["action"]),
                    labels=tuple(row.data["labels"]),
                    by=row.data["by"],
                    at=row.at,
                )
                for row in connection.execute(query)
            ]


def _history(connection: Connection) -> list[tuple[datetime, str]]:
    first = connection.execute(sa.select(policies.c.at, policies.c.id))
    again = connection.execute(sa.select(events).where(events.c.kind == str(Event.GUIDELINE_BACK)))
    return sorted([(row.at, row.id) for row in first] + [(e.at, e.data["policy"]) for e in again])
