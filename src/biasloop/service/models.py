"""The verdict of the model in service."""

from collections.abc import Callable, Sequence
from typing import Any

from biasloop.domain.measure.metric import decide
from biasloop.domain.model import ModelVersion
from biasloop.errors import ClassifierError
from biasloop.plugins.classifiers import load
from biasloop.ports import Classifier
from biasloop.service.service import Biasloop


def in_service(biasloop: Biasloop) -> tuple[ModelVersion, Classifier]:
    """The model in service, loaded. Raises ClassifierError when there is none yet."""
    model = biasloop.ledger.in_service()
    if model is None:
        raise ClassifierError("no model is in service yet; `biasloop train` makes one")
    return model, load(model.classifier, biasloop.workspace.folder / model.folder)


def verdict_columns(
    biasloop: Biasloop,
) -> tuple[dict[str, type], Callable[[Sequence[str]], list[dict[str, Any]]]]:
    """For an export: columns with probability per label, flagged labels and the model's id, and
    what fills them for texts."""
    model, classifier = in_service(biasloop)
    scheme = biasloop.campaign.scheme
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
