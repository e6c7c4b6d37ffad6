"""Annotations as the ledger holds them."""

from datetime import UTC, datetime
from typing import Any

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import LabelSource

AT = datetime(2026, 3, 1, tzinfo=UTC)


def vote(
    item_id: str, *labels: str, annotator: str = "anna@example.org", **facts: Any
) -> Annotation:
    """Somebody's vote on an item. `facts` are other fields of the annotation, by name."""
    defaults = {
        "key": f"ls:{item_id}:{annotator}",
        "source": LabelSource.HUMAN,
        "standing": Standing.VOTE,
        "labels": labels,
        "asked": ("age", "gender"),
        "policy_id": "p",
        "at": AT,
    }
    return Annotation(item_id=item_id, annotator=annotator, **(defaults | facts))
