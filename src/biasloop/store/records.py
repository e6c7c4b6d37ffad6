"""Writes the facts that steps return as rows of the ledger."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.batch import Selection
from biasloop.domain.label import LabelSource
from biasloop.domain.measure.design import Draw
from biasloop.domain.measure.probation import Review
from biasloop.domain.model import Evaluation, ModelVersion, Promotion
from biasloop.domain.task import PushedTask
from biasloop.domain.votes.consensus import Consensus
from biasloop.domain.writing.synthesis import Rejection
from biasloop.errors import LedgerError
from biasloop.store import schema
from biasloop.store.erasing import chunks_of_keys, erased_among

Values = dict[str, Any]


def insert_records(
    connection: Connection, round_id: int | None, records: Iterable[Any], now: datetime
) -> None:
    """Writes the facts of a step; of annotations, those that differ from their current version.

    Raises LedgerError for a model that learned from an item that was taken down meanwhile: its
    words must not come back with the model.
    """
    facts = list(records)
    for kind, table in _TABLES.items():
        rows = [
            asdict(fact) | {"at": now, "round_id": round_id}
            for fact in facts
            if isinstance(fact, kind)
        ]
        _insert(connection, table, rows)
    for model in facts:
        if isinstance(model, ModelVersion):
            if erased_among(connection, model.trained_on):
                raise LedgerError(
                    f"an ad that {model.id} learned from was taken down meanwhile; train again"
                )
            rows = [{"model_id": model.id, "item_id": item} for item in model.trained_on]
            _insert(connection, schema.trained_on, rows)
    append_annotations(connection, [fact for fact in facts if isinstance(fact, Annotation)])


_TABLES: dict[type[Any], sa.Table] = {
    Selection: schema.selections,
    Draw: schema.draws,
    PushedTask: schema.tasks,
    Consensus: schema.consensus,
    ModelVersion: schema.models,
    Evaluation: schema.evaluations,
    Promotion: schema.promotions,
    Rejection: schema.rejections,
    Review: schema.reviews,
}


def append_annotations(connection: Connection, news: Sequence[Annotation]) -> int:
    """Appends the annotations that differ from their current versions; returns how many.

    Of items that were taken down, without what was marked or written: a task may still be answered
    until it is withdrawn.
    """
    erased = erased_among(connection, (new.item_id for new in news))
    news = [new.without_words() if new.item_id in erased else new for new in news]
    current: dict[str, Annotation] = {}
    for keys in chunks_of_keys(new.key for new in news):
        for row in connection.execute(current_annotations(schema.annotations.c.key.in_(keys))):
            current[row.key] = annotation_from_row(row)
    rows = []
    for new in news:
        old = current.get(new.key)
        if old is None or not new.has_same_content(old):
            current[new.key] = new
            rows.append({k: v for k, v in asdict(new).items() if k != "seq"})
    _insert(connection, schema.annotations, rows)
    return len(rows)


def current_annotations(*where: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """The newest version of every key among the rows that match, by sequence number."""
    table = schema.annotations
    newest = sa.select(sa.func.max(table.c.seq)).where(*where).group_by(table.c.key)
    return sa.select(table).where(table.c.seq.in_(newest)).order_by(table.c.seq)


def annotation_from_row(row: Row[Any]) -> Annotation:
    """The annotation of a row of the table `annotations`."""
    return Annotation(
        key=row.key,
        item_id=row.item_id,
        source=LabelSource(row.source),
        standing=Standing(row.standing),
        labels=tuple(row.labels),
        asked=tuple(row.asked),
        policy_id=row.policy_id,
        annotator=row.annotator,
        at=row.at,
        reason=row.reason,
        seconds=row.seconds,
        task_id=row.task_id,
        extra=row.extra,
        seq=row.seq,
    )


def _insert(connection: Connection, table: sa.Table, rows: Sequence[Values]) -> None:
    if rows:
        names = set(table.c.keys())
        connection.execute(
            sa.insert(table), [{k: v for k, v in row.items() if k in names} for row in rows]
        )


def unique_match(ids: Sequence[str], prefix: str, singular: str, plural: str) -> str:
    """The only one of the ids that begins with the prefix.

    Raises LedgerError if there is none or more than one, or if the prefix is empty. The message
    lists the first ids (`ids` has the newest first) and calls them `singular` or `plural`.
    """
    matches = [id_ for id_ in ids if prefix and id_.startswith(prefix)]
    if len(matches) != 1:
        problem = f"several {plural} begin" if matches else f"no {singular} begins"
        raise LedgerError(f"{problem} with {prefix!r}; known: {', '.join(ids[:10]) or 'none yet'}")
    return matches[0]
