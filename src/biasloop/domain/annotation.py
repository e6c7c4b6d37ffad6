"""An annotation: which labels one author gave one item, under which policy."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from biasloop.domain.label import LabelSource

KEPT = "kept"
"""The key in `extra` of an answer that is kept although Label Studio has lost it."""

RANDOM_SAMPLE = "random_sample"
"""The key in `extra` of an imported label whose item was drawn at random from texts like those of
the pool."""

WHY = "why"
"""The key in `extra` of the reason that an adjudication was given with."""


class Standing(StrEnum):
    """How an annotation counts."""

    VOTE = "vote"
    SKIP = "skip"
    ASIDE = "aside"
    """Set aside, with a reason (`AsideReason`)."""
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Annotation:
    """One version of one annotation. The ledger only appends: the newest version of a key is valid.

    `key` identifies the annotation across its versions ("ls:17", "seed:<item>"). `asked` are the
    labels that the scheme had at that time. `extra` holds the results of other controls verbatim
    (spans, rewrite). `seq` is the sequence number in the ledger, 0 until it is written.
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

    @property
    def kept(self) -> bool:
        """Whether it counts although it is gone from Label Studio: somebody decided so."""
        return KEPT in self.extra

    @property
    def is_random_sample(self) -> bool:
        """Whether it was imported as part of a random sample, and still counts."""
        return RANDOM_SAMPLE in self.extra and self.standing is Standing.VOTE

    def without_words(self) -> "Annotation":
        """The same without what was marked, written or quoted: words of a text that is gone."""
        return replace(self, extra=marks_without_words(self.extra))

    def has_same_content(self, other: "Annotation") -> bool:
        """Whether nothing that matters has changed since `other`, an earlier version.

        An import that does not say how its rows were drawn takes nothing back that an earlier one
        said of it.
        """
        mark = {RANDOM_SAMPLE: True} if RANDOM_SAMPLE in other.extra else {}
        return (
            self.standing == other.standing
            and set(self.labels) == set(other.labels)
            and self.annotator == other.annotator
            and mark | dict(self.extra) == dict(other.extra)
        )


def marks_without_words(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Of the content of `extra`, what says how an answer counts, and quotes nothing."""
    return {name: value for name, value in extra.items() if name in (KEPT, RANDOM_SAMPLE)}


def label_studio_id(key: str) -> int:
    """The id in Label Studio of an annotation with that key: "ls:17", or "ls:17@" and when it was
    made if the ledger knows another annotation of that id."""
    return int(key.removeprefix("ls:").partition("@")[0])


def pseudonyms(authors: Iterable[tuple[str, str]]) -> dict[str, str]:
    """A1, A2, … for everyone who labelled in Label Studio, from (key, annotator) of all annotations
    there, in the order of their first one, deleted ones included, so that names never change."""
    there = sorted((label_studio_id(key), annotator) for key, annotator in authors)
    people = dict.fromkeys(annotator for _, annotator in there)
    return {annotator: f"A{number}" for number, annotator in enumerate(people, 1)}
