"""One statement about one item, by somebody, under a policy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from biasloop.domain.label import LabelSource


class Standing(StrEnum):
    """What an annotation counts as."""

    VOTE = "vote"
    SKIP = "skip"
    ASIDE = "aside"
    """Set aside, with a reason (`AsideReason`)."""
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Annotation:
    """One version of one annotation. The ledger only appends: the newest version of a `key` holds.

    `key` names the statement across its versions ("ls:17", "seed:<item>"). `asked` are the labels
    the scheme had then. `extra` carries other controls verbatim (spans, rewrite). `seq` is the
    ledger sequence number, 0 until it is written.
    """

    key: str
    item_id: str
    source: LabelSource
    standing: Standing
    labels: tuple[str, ...]
    asked: tuple[str, ...]
    policy_id: str
    annotator: str
    at: datetime
    reason: str = ""
    seconds: float | None = None
    task_id: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    seq: int = 0

    def says_same(self, other: "Annotation") -> bool:
        """Whether nothing that counts has changed since `other`, an earlier version."""
        return (
            self.standing == other.standing
            and set(self.labels) == set(other.labels)
            and self.annotator == other.annotator
            and dict(self.extra) == dict(other.extra)
        )
