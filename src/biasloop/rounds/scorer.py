"""Which model scores the candidates of the next batch."""

from biasloop.domain.measure.promotion import is_refused
from biasloop.domain.model import ModelVersion
from biasloop.store.ledger import Ledger


def scoring_model(ledger: Ledger) -> ModelVersion | None:
    """The newest model that promotion has not refused, in service or not; None before the first.

    A model whose evaluation is still to come counts as the newest: annotators do not wait for it.
    """
    decisions = [r.facts["promotion"] for r in ledger.rounds.all() if r.facts.get("promotion")]
    refused = {decision["model_id"] for decision in decisions if is_refused(decision)}
    refused -= {promotion.model_id for _, promotion in ledger.models.promotions()}
    models = [model for _, _, model in ledger.models.all() if model.id not in refused]
    return models[-1] if models else None
