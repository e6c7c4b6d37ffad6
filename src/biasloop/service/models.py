"""The verdict of the model in service."""

from collections.abc import Callable, Sequence
from typing import Any

from biasloop.domain.measure.metric import decide
from biasloop.domain.model import ModelVersion
from biasloop.errors import ClassifierError
from biasloop.plugins.registry import load_classifier
from biasloop.ports import Classifier
from biasloop.service.service import Service


def in_service(service: Service) -> tuple[ModelVersion, Classifier]:
    """The model in service, loaded. Raises ClassifierError when there is none yet."""
    model = service.ledger.in_service()
    if model is None:
        raise ClassifierError("no model is in service yet; `biasloop train` makes one")
    return model, load_classifier(model.classifier, service.layout.folder / model.folder)


def verdict_columns(
    service: Service,
) -> tuple[dict[str, type], Callable[[Sequence[str]], list[dict[str, Any]]]]:
    """For an export: columns with probability per label, flagged labels and the model's id, and
    what fills them for texts."""
    model, classifier = in_service(service)
    scheme = service.campaign.scheme
    columns: dict[str, type] = {f"p_{name}": float for name in scheme.labels}
    columns |= {"flagged": list, "model": str}

    def verdicts(texts: Sequence[str]) -> list[dict[str, Any]]:
        proba = classifier.predict_proba(texts)
        flags = decide(proba, classifier.thresholds, scheme.multi)
        return [
            {f"p_{name}": float(p) for name, p in zip(scheme.labels, row, strict=True)}
            | {
                "flagged": [n for n, flag in zip(scheme.labels, flagged, strict=True) if flag],
                "model": model.id,
            }
            for row, flagged in zip(proba, flags, strict=True)
        ]

    return columns, verdicts
