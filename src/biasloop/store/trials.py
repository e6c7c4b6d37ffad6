"""Trials of the guideline's drafts in the ledger, and what people say of them."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from biasloop.domain.policy import Policy
from biasloop.domain.trial import Case, Comment, Scenario, ScenarioReason, Trial
from biasloop.domain.writing.judgement import Judgement
from biasloop.domain.writing.prompt import Problem, Spending
from biasloop.errors import LedgerError
from biasloop.store.database import Database
from biasloop.store.records import the_one
from biasloop.store.schema import comments, trials


class Trials:
    """Trials and comments; both are only ever added to, and of a trial the newest run counts."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, trial: Trial) -> None:
        """Keeps a run of a trial."""
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
        """id, at, by, draft_id and against of every trial by its newest run, newest first."""
        c = trials.c
        query = sa.select(c.id, c.at, c.by, c.draft_id, c.against).where(c.seq.in_(_newest_runs()))
        with self._db.read() as connection:
            rows = connection.execute(query.order_by(c.seq.desc()))
            return [dict(row._mapping) for row in rows]

    def find(self, name: str) -> Trial:
        """The trial whose id begins so. Raises LedgerError, listing the known ones."""
        known = [found["id"] for found in self.all()]
        if not known:
            raise LedgerError("there is no trial yet; `biasloop policy try DRAFT.md` makes one")
        whole = the_one(known, name, "trial", "trials")
        newest = sa.select(trials).where(trials.c.id == whole).order_by(trials.c.seq.desc())
        with self._db.read() as connection:
            return _trial(connection.execute(newest.limit(1)).one())

    def newest(self) -> Trial:
        """The one that was run last. Raises LedgerError when there is none."""
        known = self.all()
        return self.find(known[0]["id"] if known else "")

    def comment(self, trial: str, comment: Comment) -> None:
        """Keeps what somebody says of a scenario of this trial."""
        with self._db.write() as connection:
            connection.execute(sa.insert(comments), {"trial": trial} | asdict(comment))

    def comments(self, trial: str) -> list[Comment]:
        """What was said of this trial, oldest first."""
        query = sa.select(comments).where(comments.c.trial == trial).order_by(comments.c.seq)
        with self._db.read() as connection:
            return [
                Comment(row.scenario, row.by, row.text, row.at) for row in connection.execute(query)
            ]


def blank(connection: Connection, ad_id: str) -> None:
    """Takes out of every trial what descends from an ad: texts, and reasons that may quote them."""
    for row in connection.execute(sa.select(trials.c.seq, trials.c.cases)).all():
        if any(ad_id in case["scenario"]["roots"] for case in row.cases):
            blanked = [_blanked(case, ad_id) for case in row.cases]
            connection.execute(
                sa.update(trials).where(trials.c.seq == row.seq).values(cases=blanked)
            )


def _blanked(case: Mapping[str, Any], ad_id: str) -> dict[str, Any]:
    scenario = case["scenario"]
    if ad_id not in scenario["roots"]:
        return dict(case)
    said = {
        side: case[side] | {"reason": ""} if isinstance(case[side], dict) else case[side]
        for side in ("before", "after")
    }
    return dict(case) | said | {"scenario": scenario | {"text": ""}}


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
        before=_said(row["before"]),
        after=_said(row["after"]),
    )


def _said(value: Any) -> Judgement | Problem:
    if isinstance(value, str):
        return Problem(value)
    return Judgement(tuple(value["labels"]), value["confidence"], value["reason"])
