"""The ledger: the SQL database with all facts about rounds, tasks, annotations and models."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.batch import Arm, Selection
from biasloop.domain.label import LabelSource
from biasloop.domain.measure.probation import Review
from biasloop.domain.round import State
from biasloop.domain.task import PushedTask
from biasloop.domain.votes.consensus import Consensus
from biasloop.errors import LedgerError
from biasloop.store.batches import Batches
from biasloop.store.control import Control
from biasloop.store.database import Database
from biasloop.store.erasing import erase_texts
from biasloop.store.imports import Imports
from biasloop.store.models import Models
from biasloop.store.people import People
from biasloop.store.policies import Policies
from biasloop.store.records import (
    annotation_from_row,
    append_annotations,
    current_annotations,
    insert_records,
)
from biasloop.store.rounds import Rounds
from biasloop.store.schema import (
    annotations,
    consensus,
    item_trip,
    rejections,
    reviews,
    selections,
    tasks,
    tombstones,
)
from biasloop.store.trials import Trials

STREAMED = 5_000
"""Rows in memory at a time where a query is streamed."""


class Ledger:
    """The facts of a workspace. Every method raises LedgerError when the database fails."""

    def __init__(self, url: str) -> None:
        self._db = Database(url)
        self.rounds = Rounds(self._db)
        self.batches = Batches(self._db)
        self.policies = Policies(self._db)
        self.trials = Trials(self._db)
        self.models = Models(self._db)
        self.control = Control(self._db)
        self.imports = Imports(self._db)
        self.people = People(self._db)

    def migrate(self) -> None:
        """Brings the schema to the newest version."""
        self._db.migrate()

    def close(self) -> None:
        """Closes the database."""
        self._db.close()

    # --- annotations ---------------------------------------------------------------------------

    def record(self, news: Sequence[Annotation]) -> int:
        """Appends the annotations that differ from their current versions; returns how many.
        Repeatable."""
        with self._db.write() as connection:
            return append_annotations(connection, news)

    def annotations(self, up_to: int | None = None) -> list[Annotation]:
        """The current version of every annotation, as of a sequence number (None: now)."""
        where = [] if up_to is None else [annotations.c.seq <= up_to]
        with self._db.read() as connection:
            return [
                annotation_from_row(row) for row in connection.execute(current_annotations(*where))
            ]

    def stream_annotations(self, by_item: bool = False) -> Iterator[Annotation]:
        """The same as `annotations`, a few in memory at a time; `by_item` yields those of one item
        together. Reads one state of the ledger until it is exhausted."""
        query = current_annotations()
        if by_item:
            query = query.order_by(None).order_by(annotations.c.item_id, annotations.c.seq)
        with self._db.read() as connection:
            for row in connection.execution_options(yield_per=STREAMED).execute(query):
                yield annotation_from_row(row)

    def annotation_counts(self) -> list[tuple[LabelSource, Standing, int, datetime]]:
        """The number of current annotations by source and standing, and the newest one's time."""
        kinds = annotations.c.source, annotations.c.standing
        query = current_annotations().order_by(None).group_by(*kinds).order_by(*kinds)
        columns = query.with_only_columns(*kinds, sa.func.count(), sa.func.max(annotations.c.at))
        with self._db.read() as connection:
            rows = connection.execute(columns).all()
        return [(LabelSource(source), Standing(s), n, newest) for source, s, n, newest in rows]

    def authors(self) -> list[tuple[str, str]]:
        """(key, annotator) of every annotation that was made in Label Studio, deleted ones too."""
        query = current_annotations().where(annotations.c.task_id.is_not(None))
        columns = query.with_only_columns(annotations.c.key, annotations.c.annotator)
        with self._db.read() as connection:
            return [(row.key, row.annotator) for row in connection.execute(columns)]

    def answered_items(self) -> set[str]:
        """Ids of the items that need no further answer: someone labelled or skipped them, or they
        came with labels. Known answers (gold) do not count: people are asked all the same."""
        answered = current_annotations().where(
            annotations.c.standing.in_((Standing.VOTE, Standing.SKIP)),
            annotations.c.source != LabelSource.GOLD,
        )
        query = answered.with_only_columns(annotations.c.item_id).order_by(None).distinct()
        with self._db.read() as connection:
            return set(connection.execute(query).scalars())

    def annotations_on(self, item_ids: Sequence[str], keys: Sequence[str] = ()) -> list[Annotation]:
        """The current version of every annotation of these items, and of those with these keys."""
        with self._db.read() as connection:
            of_items = annotations.c.item_id.in_(list(item_ids))
            query = current_annotations(of_items | annotations.c.key.in_(list(keys)))
            return [annotation_from_row(row) for row in connection.execute(query)]

    def annotations_before(self, moment: datetime, ignored: Sequence[datetime]) -> list[Annotation]:
        """Of every annotation that has a version of exactly this moment, the newest version of
        another moment that is not ignored; one that has no other is left out."""
        of_moment = sa.select(annotations.c.key).where(annotations.c.at == moment)
        others = annotations.c.at.not_in([moment, *ignored])
        query = current_annotations(annotations.c.key.in_(of_moment), others)
        with self._db.read() as connection:
            return [annotation_from_row(row) for row in connection.execute(query)]

    def sequence(self) -> int:
        """The current sequence number: that of the newest annotation version; 0 without any."""
        with self._db.read() as connection:
            return connection.execute(sa.select(sa.func.max(annotations.c.seq))).scalar() or 0

    # --- batches -------------------------------------------------------------------------------

    def selections(self, round_id: int | None = None) -> list[tuple[int, Selection]]:
        """(round id, selection) pairs of one round or all, by round and position."""
        query = sa.select(selections).order_by(selections.c.round_id, selections.c.position)
        if round_id is not None:
            query = query.where(selections.c.round_id == round_id)
        with self._db.read() as connection:
            return [
                (
                    row.round_id,
                    Selection(
                        item_id=row.item_id,
                        row=row.row,
                        arm=Arm(row.arm),
                        probability=row.probability,
                        position=row.position,
                    ),
                )
                for row in connection.execute(query)
            ]

    def audit_items(self, item_ids: Sequence[str]) -> set[str]:
        """The ids of those of these items that were selected in the audit arm."""
        table = selections.c
        query = sa.select(table.item_id).where(table.item_id.in_(list(item_ids)))
        with self._db.read() as connection:
            return set(connection.execute(query.where(table.arm == Arm.AUDIT)).scalars())

    def live_selections(self) -> list[tuple[int, Selection]]:
        """(round id, selection) pairs of all rounds that were not cancelled."""
        cancelled = {r.id for r in self.rounds.all() if r.state is State.CANCELLED}
        return [(i, s) for i, s in self.selections() if i not in cancelled]

    def task_ids(self) -> dict[str, int]:
        """The newest task id of every item ever pushed, by item id. Items that were taken down have
        no task."""
        with self._db.read() as connection:
            query = sa.select(tasks.c.item_id, tasks.c.task_id).order_by(tasks.c.seq)
            erased = sa.select(tombstones.c.item_id)
            rows = connection.execute(query.where(tasks.c.item_id.not_in(erased)))
            return {row.item_id: row.task_id for row in rows}

    def items_of(self, task_ids: Sequence[int]) -> dict[int, list[str]]:
        """The items that each of these tasks was sent for, oldest first: Label Studio gives ids of
        tasks again once its database was restored."""
        query = sa.select(tasks.c.task_id, tasks.c.item_id).order_by(tasks.c.seq)
        items: dict[int, list[str]] = {}
        with self._db.read() as connection:
            for row in connection.execute(query.where(tasks.c.task_id.in_(list(task_ids)))):
                items.setdefault(row.task_id, []).append(row.item_id)
        return items

    def erased_items(self) -> set[str]:
        """The ids of the items that were taken down."""
        with self._db.read() as connection:
            return set(connection.execute(sa.select(tombstones.c.item_id)).scalars())

    def pushed_items(self) -> set[str]:
        """The ids of all items that were ever pushed, be they taken down since."""
        with self._db.read() as connection:
            return set(connection.execute(sa.select(tasks.c.item_id)).scalars())

    def newest_task(self, before: datetime) -> PushedTask | None:
        """The last task that was pushed before this time; None if there was none."""
        query = sa.select(tasks.c.item_id, tasks.c.task_id).where(tasks.c.at < before)
        with self._db.read() as connection:
            query = query.order_by(tasks.c.seq.desc())
            row = connection.execute(query.limit(1)).first()
            return PushedTask(row.item_id, row.task_id) if row else None

    def consensus(self, up_to_round: int | None = None) -> list[Consensus]:
        """The newest consensus on every item, from rounds up to `up_to_round` (None: all)."""
        where = [] if up_to_round is None else [consensus.c.round_id <= up_to_round]
        newest = (
            sa.select(consensus.c.item_id, sa.func.max(consensus.c.round_id).label("round_id"))
            .where(*where)
            .group_by(consensus.c.item_id)
            .subquery()
        )
        query = sa.select(consensus).join(
            newest,
            (newest.c.item_id == consensus.c.item_id) & (newest.c.round_id == consensus.c.round_id),
        )
        with self._db.read() as connection:
            return [
                Consensus(
                    item_id=row.item_id,
                    labels=tuple(row.labels),
                    asked=tuple(row.asked),
                    votes=row.votes,
                    support=row.support,
                )
                for row in connection.execute(query.order_by(consensus.c.item_id))
            ]

    def add(self, records: Iterable[Any], now: datetime, round_id: int | None = None) -> None:
        """Records facts outside the commit of a step, such as promotions by command."""
        with self._db.write() as connection:
            insert_records(connection, round_id, records, now)

    # --- what language models wrote -------------------------------------------------------------

    def count_rejections(self) -> int:
        """The number of texts refused so far."""
        with self._db.read() as connection:
            return connection.execute(
                sa.select(sa.func.count()).select_from(rejections)
            ).scalar_one()

    def rejections(self, limit: int = 50) -> list[dict[str, Any]]:
        """The newest refused texts, newest first: at, round_id, reason, detail, text, operation,
        labels, parents, roots."""
        query = sa.select(rejections).order_by(rejections.c.seq.desc()).limit(limit)
        with self._db.read() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]

    def reviews(self) -> list[tuple[int | None, Review]]:
        """(round id, review of all texts written so far), oldest first; the last one counts."""
        names = [field.name for field in fields(Review)]
        with self._db.read() as connection:
            rows = connection.execute(sa.select(reviews).order_by(reviews.c.seq)).mappings()
            return [(row["round_id"], Review.from_dict({n: row[n] for n in names})) for row in rows]

    # --- trip, tombstones ----------------------------------------------------------------------

    def trip(self, item_id: str) -> list[dict[str, Any]]:
        """Everything that happened to an item, oldest first: at, fact, round_id, detail (R5)."""
        query = sa.select(item_trip).where(item_trip.c.item_id == item_id).order_by("at")
        with self._db.read() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]

    def record_takedown(self, ad_id: str, item_ids: Sequence[str], now: datetime) -> int:
        """Adds tombstones for the items of an ad, and erases every text that descends from it, also
        from SQLite's log. Returns how many tombstones are new. Repeatable."""
        with self._db.write() as connection:
            erase_texts(connection, ad_id, item_ids)
            buried = set(connection.execute(sa.select(tombstones.c.item_id)).scalars())
            rows = [
                {"item_id": item, "ad_id": ad_id, "at": now}
                for item in item_ids
                if item not in buried
            ]
            if rows:
                connection.execute(sa.insert(tombstones), rows)
        self._db.drop_old_pages()
        return len(rows)

    def check(self) -> None:
        """Raises LedgerError when the database cannot be read or lacks the schema."""
        with self._db.read() as connection:
            if not sa.inspect(connection).has_table("rounds"):
                raise LedgerError("the ledger has no tables; run `biasloop init`")
