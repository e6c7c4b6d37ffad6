"""The learning curve: how good the model of each round was, by the labels it had learned from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from biasloop.domain.label import BY_PEOPLE
from biasloop.domain.measure.metric import MIN_POSITIVES
from biasloop.domain.measure.resample import Interval
from biasloop.service.service import Service


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """An evaluated round: how many human labels its model learned from, and F1 on the audit items
    of that time (None: too few positives). `cells` has all measures of each label."""

    round: int | None
    model: str
    labels: int
    audit_items: int
    micro_f1: Interval | None
    macro_f1: Interval | None
    cells: Mapping[str, Any]


def curve(service: Service) -> list[CurvePoint]:
    """A point for every evaluated round, oldest first."""
    models = {model.id: model for _, _, model in service.ledger.models.all()}
    return [
        CurvePoint(
            round=round_id,
            model=evaluation.model_id,
            labels=_labels_by_people(models[evaluation.model_id].card),
            audit_items=audit["n_items"],
            micro_f1=_interval(audit["micro"]),
            macro_f1=_interval(audit["macro"]),
            cells=audit["labels"],
        )
        for round_id, evaluation in service.ledger.models.evaluations()
        for audit in [shown_figures(evaluation.report)["audit"]]
    ]


def _labels_by_people(card: Mapping[str, Any]) -> int:
    return sum(card["rows"].get(source, 0) for source in BY_PEOPLE)


def shown_figures(report: Mapping[str, Any]) -> dict[str, Any]:
    """An audit report without figures over all labels that rest on too few positives together.

    Reports of earlier versions still have such figures.
    """
    return {name: _above_the_gate(part, report["audit"]) for name, part in report.items()}


def _above_the_gate(part: Any, audit: Mapping[str, Any]) -> Any:
    if not isinstance(part, Mapping) or "micro" not in part:
        return part
    measured = part if all("n" in (cells or ()) for cells in part["labels"].values()) else audit
    if sum(cells["n"] for cells in measured["labels"].values()) >= MIN_POSITIVES:
        return part
    return {**part, "micro": None, "accuracy": None}


def _interval(measure: Mapping[str, float] | None) -> Interval | None:
    return Interval(**measure) if measure else None
