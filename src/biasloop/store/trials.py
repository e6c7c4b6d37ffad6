"""Trials of drafts of the guideline in the ledger, and comments on them."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Row

from biasloop.domain.policy import Policy
from biasloop.domain.trial import Case, Comment, Scenario, ScenarioReason, Trial
from biasloop.domain.writing.judgement import Judgement
from biasloop.domain.writing.prompt import Problem, Spending
from biasloop.errors import LedgerError
from biasloop.store.database import Database
from biasloop.store.records import unique_match
from biasloop.store.schema import comments, trials


class Trials:
    """Trials and comments; both are only ever appended. The newest run of a trial counts."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, trial: Trial) -> None:
        """Records a run of a trial."""
        row = {
            "id": trial.id,
            "at": trial.at,
            "by": trial.by,
            "draft": asdict(trial.draft),
            "draft_id": trial.draft.id,
            "against": trial.against,
            "model": trial.model,
            "cases": [asdict(case) for case in trial.cases],
            "stopped": trial.stopped,
            "spending": asdict(trial.spending),
        }
        with self._db.write() as connection:
            connection.execute(sa.insert(trials), row)

    def all(self) -> list[dict[str, Any]]:
        """id, at, by, draft_id and against of the newest run of every trial, newest first."""
        c = trials.c
        query = sa.select(c.id, c.at, c.by, c.draft_id, c.against).where(c.seq.in_(_newest_runs()))
        with self._db.read() as connection:
            rows = connection.execute(query.order_by(c.seq.desc()))
            return [dict(row._mapping) for row in rows]

    def find(self, prefix: str) -> Trial:
        """The only trial whose id begins with the prefix. Raises LedgerError, which lists the
        trials, if there is none or more than one."""
        ids = [row["id"] for row in self.all()]
        if not ids:
            raise LedgerError("there is no trial yet; `biasloop policy try DRAFT.md` makes one")
        trial_id = unique_match(ids, prefix, "trial", "trials")
        newest = sa.select(trials).where(trials.c.id == trial_id).order_by(trials.c.seq.desc())
        with self._db.read() as connection:
            return _trial(connection.execute(newest.limit(1)).one())

    def newest(self) -> Trial:
        """The trial that was run last. Raises LedgerError when there is none."""
        rows = self.all()
        return self.find(rows[0]["id"] if rows else "")

    def comment(self, trial: str, comment: Comment) -> None:
        """Records a comment on a scenario of this trial."""
        with self._db.write() as connection:
            connection.execute(sa.insert(comments), {"trial": trial} | asdict(comment))

    def comments(self, trial: str) -> list[Comment]:
        """The comments on this trial, oldest first."""
        query = sa.select(comments).where(comments.c.trial == trial).order_by(comments.c.seq)
        with self._db.read() as connection:
            return [
                Comment(row.scenario, row.by, row.text, row.at) for row in connection.execute(query)
            ]


def _newest_runs() -> sa.Select[Any]:
    return sa.select(sa.func.max(trials.c.seq)).group_by(trials.c.id)


def _trial(row: Row[Any]) -> Trial:
    return Trial(
        id=row.id,
        at=row.at,
        by=row.by,
        draft=Policy(**row.draft),
        against=row.against,
        model=row.model,
        cases=tuple(_case(case) for case in row.cases),
        stopped=row.stopped,
        spending=Spending(**row.spending),
    )


def _case(row: Mapping[str, Any]) -> Case:
    scenario = row["scenario"]
    return Case(
        Scenario(
            text=scenario["text"],
            why=ScenarioReason(scenario["why"]),
            known=None if scenario["known"] is None else tuple(scenario["known"]),
            item_id=scenario["item_id"],
            roots=tuple(scenario["roots"]),
        ),
        before=_judgement(row["before"]),
        after=_judgement(row["after"]),
    )


def _judgement(value: Any) -> Judgement | Problem:
    """Reads a judgement, or the problem in its place, from its JSON value."""
    if isinstance(value, str):
        return Problem(value)
    return Judgement(tuple(value["labels"]), value["confidence"], value["reason"])
