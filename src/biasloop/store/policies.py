"""Versions of the guideline in the ledger: when each was in force, and decisions on older votes."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from biasloop.domain.annotation import Annotation
from biasloop.domain.policy import Policy, PolicyDecision, VoteAction
from biasloop.store.control import Event
from biasloop.store.database import Database
from biasloop.store.records import (
    annotation_from_row,
    append_annotations,
    current_annotations,
    unique_match,
)
from biasloop.store.schema import events, policies


class Policies:
    """The versions of the guideline and the decisions on them; both are only ever appended."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, policy: Policy, now: datetime) -> None:
        """Puts this version into force, unless it is already."""
        with self._db.write() as connection:
            history = _history(connection)
            if policy.id not in {policy_id for _, policy_id in history}:
                row = {"id": policy.id, "at": now, "text": policy.text, "labels": policy.labels}
                connection.execute(sa.insert(policies), row)
            elif history[-1][1] != policy.id:
                data = {"policy": policy.id}
                connection.execute(
                    sa.insert(events).values(at=now, kind=str(Event.GUIDELINE_BACK), data=data)
                )

    def all(self) -> list[tuple[datetime, Policy]]:
        """(first time in force, version), oldest first."""
        query = sa.select(policies).order_by(policies.c.at, policies.c.id)
        with self._db.read() as connection:
            return [(row.at, Policy(row.text, row.labels)) for row in connection.execute(query)]

    def current(self) -> Policy | None:
        """The version in force; None before the first."""
        history = self.history()
        return self.find(history[-1][1]) if history else None

    def find(self, prefix: str) -> Policy:
        """The only version whose id begins with the prefix. Raises LedgerError, which lists the
        versions, if there is none or more than one."""
        versions = {policy.id: policy for _, policy in reversed(self.all())}
        return versions[
            unique_match(list(versions), prefix, "version of the guideline", "versions")
        ]

    def history(self) -> list[tuple[datetime, str]]:
        """(time, id of the version that came into force then), oldest first. A version that came
        into force twice is listed twice."""
        with self._db.read() as connection:
            return _history(connection)

    def decide(
        self, decision: PolicyDecision, revise: Callable[[list[Annotation]], list[Annotation]]
    ) -> int:
        """Records a decision on votes under older versions, and the annotations that `revise`
        returns for the current ones; returns how many changed."""
        with self._db.write() as connection:
            rows = connection.execute(current_annotations())
            current = [annotation_from_row(row) for row in rows]
            changed = append_annotations(connection, revise(current))
            data = {name: value for name, value in asdict(decision).items() if name != "at"}
            connection.execute(
                sa.insert(events).values(
                    at=decision.at, kind=str(Event.POLICY_DECIDED), data=data | {"answers": changed}
                )
            )
            return changed

    def decisions(self) -> list[PolicyDecision]:
        """All decisions, oldest first."""
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
