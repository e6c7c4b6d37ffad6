"""Model versions in the ledger: their training items, evaluations and promotions."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from biasloop.domain.model import Evaluation, ModelVersion, Promotion
from biasloop.errors import LedgerError
from biasloop.store.database import Database
from biasloop.store.schema import evaluations, models, promotions, trained_on


class Models:
    """Models, their audit reports and promotions; they are only ever appended."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def all(self) -> list[tuple[datetime, int | None, ModelVersion]]:
        """(finished at, round id, model), oldest first. The models' `trained_on` is left empty."""
        with self._db.read() as connection:
            return [
                (
                    row.at,
                    row.round_id,
                    ModelVersion(row.id, row.classifier, row.seq, row.folder, row.card, ()),
                )
                for row in connection.execute(sa.select(models).order_by(models.c.at, models.c.id))
            ]

    def get(self, model_id: str) -> ModelVersion:
        """One model, without `trained_on`. Raises LedgerError for an unknown id."""
        models_by_id = {model.id: model for _, _, model in self.all()}
        if model_id not in models_by_id:
            names = ", ".join(models_by_id) or "none yet"
            raise LedgerError(f"there is no model {model_id!r}; known: {names}")
        return models_by_id[model_id]

    def promotions(self) -> list[tuple[datetime, Promotion]]:
        """Every promotion, oldest first; the last one names the model in service."""
        with self._db.read() as connection:
            rows = connection.execute(sa.select(promotions).order_by(promotions.c.seq))
            return [(row.at, Promotion(row.model_id, row.why)) for row in rows]

    def in_service(self) -> ModelVersion | None:
        """The model in service; None before the first promotion."""
        history = self.promotions()
        return self.get(history[-1][1].model_id) if history else None

    def evaluations(self) -> list[tuple[int | None, Evaluation]]:
        """(round id, audit report), oldest first."""
        with self._db.read() as connection:
            rows = connection.execute(sa.select(evaluations).order_by(evaluations.c.seq))
            return [
                (row.round_id, Evaluation(row.model_id, row.baseline_id, row.report))
                for row in rows
            ]

    def trained_on_any(self, item_ids: Sequence[str]) -> list[str]:
        """Ids of the models trained on any of these items."""
        query = sa.select(trained_on.c.model_id).distinct()
        with self._db.read() as connection:
            rows = connection.execute(query.where(trained_on.c.item_id.in_(list(item_ids))))
            return sorted(row.model_id for row in rows)

    def trained_on(self, model_id: str) -> list[str]:
        """Ids of the items that this model learned from."""
        query = sa.select(trained_on.c.item_id).where(trained_on.c.model_id == model_id)
        with self._db.read() as connection:
            return sorted(connection.execute(query).scalars())

    def trained_on_by_all(self) -> set[str]:
        """Ids of the items that any model learned from."""
        with self._db.read() as connection:
            return set(connection.execute(sa.select(trained_on.c.item_id).distinct()).scalars())
