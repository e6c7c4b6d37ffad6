"""Model versions, and why each went into service or did not."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from biasloop.service.service import Service


@dataclass(frozen=True, slots=True)
class ModelReport:
    """A model version; `decision` says why it is in service, or is not."""

    id: str
    in_service: bool
    round: int | None
    finished: datetime
    classifier: str
    sequence: int
    decision: str | None
    card: Mapping[str, Any]

    @property
    def rows(self) -> Mapping[str, int]:
        """How many examples it learned from, by source."""
        rows: Mapping[str, int] = self.card["rows"]
        return rows

    @property
    def policies(self) -> Mapping[str, int]:
        """How many votes it learned from, by version of the guideline."""
        policies: Mapping[str, int] = self.card.get("policies", {})
        return policies


def models(service: Service) -> list[ModelReport]:
    """Every model version, newest last."""
    ledger = service.ledger
    in_service, why = ledger.models.in_service(), _decisions(service)
    return [
        ModelReport(
            id=model.id,
            in_service=in_service is not None and in_service.id == model.id,
            round=round_id,
            finished=at,
            classifier=model.classifier,
            sequence=model.seq,
            decision=why.get(model.id),
            card=model.card,
        )
        for at, round_id, model in ledger.models.all()
    ]


def _decisions(service: Service) -> dict[str, str]:
    """Why each model went into service, or did not, by its id."""
    facts = [r.facts["promotion"] for r in service.ledger.rounds.all() if "promotion" in r.facts]
    refused = {fact["model_id"]: f"not promoted: {fact['why']}" for fact in facts}
    return refused | {p.model_id: p.why for _, p in service.ledger.models.promotions()}
