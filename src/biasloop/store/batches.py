"""What the ledger knows of the batches of rounds."""

import sqlalchemy as sa

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import LabelSource
from biasloop.domain.measure.design import Draw
from biasloop.domain.round import State
from biasloop.store.database import Database
from biasloop.store.records import annotation_from_row, current_annotations
from biasloop.store.schema import annotations, draws, rounds, selections, tasks, tombstones


class Batches:
    """The batches of rounds. No method reads more than it returns, so that they can be asked often
    of a large ledger."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def count_items(self) -> int:
        """The number of items in the batches of all rounds that were not cancelled."""
        items = sa.select(sa.func.count(selections.c.item_id.distinct()))
        live = rounds.c.state != State.CANCELLED
        query = items.join(rounds, rounds.c.id == selections.c.round_id).where(live)
        with self._db.read() as connection:
            return connection.execute(query).scalar_one()

    def items_with_task(self, round_id: int) -> set[str]:
        """The ids of the items of a round that were pushed and not taken down since."""
        erased = sa.select(tombstones.c.item_id)
        query = (
            sa.select(selections.c.item_id)
            .join(tasks, tasks.c.item_id == selections.c.item_id)
            .where(selections.c.round_id == round_id, selections.c.item_id.not_in(erased))
        )
        with self._db.read() as connection:
            return set(connection.execute(query).scalars())

    def annotations(self, round_id: int) -> list[Annotation]:
        """The current version of every annotation of the items of a round."""
        batch = sa.select(selections.c.item_id).where(selections.c.round_id == round_id)
        query = current_annotations(annotations.c.item_id.in_(batch))
        with self._db.read() as connection:
            return [annotation_from_row(row) for row in connection.execute(query)]

    def draws(self, arm: str) -> list[Draw]:
        """The random draws of an arm, without those of cancelled rounds, by round."""
        query = (
            sa.select(draws)
            .join(rounds, rounds.c.id == draws.c.round_id)
            .where(draws.c.arm == arm, rounds.c.state != State.CANCELLED)
            .order_by(draws.c.round_id)
        )
        with self._db.read() as connection:
            rows = connection.execute(query).all()
        return [Draw(row.arm, row.chances, tuple(row.hits)) for row in rows]

    def first_draw(self) -> int | None:
        """The first round whose draws are known; None before there is one. Earlier rounds are of a
        version that did not keep them."""
        with self._db.read() as connection:
            return connection.execute(sa.select(sa.func.min(draws.c.round_id))).scalar()

    def imported_answers(self) -> set[str]:
        """The ids of the items that came with labels by people."""
        imported = current_annotations().where(
            annotations.c.standing == Standing.VOTE,
            annotations.c.source == LabelSource.HUMAN,
            annotations.c.task_id.is_(None),
        )
        query = imported.with_only_columns(annotations.c.item_id).order_by(None).distinct()
        with self._db.read() as connection:
            return set(connection.execute(query).scalars())
