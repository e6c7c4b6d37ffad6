"""How long people take, from the time that Label Studio measures per answer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from biasloop.domain.annotation import Annotation

LONGEST = 10
"""An answer that took more than so many times the median was left lying in an open tab: in sums it
counts as this long."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Time per item (the median) and the sum of all answers, in seconds."""

    per_item: float
    total: float

    def hours_for(self, items: float) -> float:
        """How long so many items take."""
        return items * self.per_item / 3600


def longest(annotations: Iterable[Annotation]) -> float:
    """The most seconds that an answer counts as, judged by all of these."""
    return LONGEST * median([a.seconds for a in annotations if a.seconds] or [0])


def pace(annotations: Sequence[Annotation], most: float | None = None) -> Pace | None:
    """The pace of these answers; None where none was timed. `most` is `longest` of everybody's
    answers when these are one person's (None: they are everybody's)."""
    most = longest(annotations) if most is None else most
    seconds = [min(a.seconds, most) for a in annotations if a.seconds]
    return Pace(median(seconds), sum(seconds)) if seconds else None
