"""How long annotators take, from the time that Label Studio measures for each annotation."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from biasloop.domain.annotation import Annotation

MAX_TIMES_MEDIAN = 10
"""An annotation that took longer than this many medians was probably left in an open tab. It counts
as this long."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds per item (the median), and in total."""

    per_item: float
    total: float

    def hours_for(self, items: float) -> float:
        """Hours that this number of items takes."""
        return items * self.per_item / 3600


def longest_counted_time(annotations: Iterable[Annotation]) -> float:
    """The longest time in seconds that any of these annotations counts as."""
    return MAX_TIMES_MEDIAN * median([a.seconds for a in annotations if a.seconds] or [0])


def measure_pace(annotations: Sequence[Annotation], limit: float | None = None) -> Pace | None:
    """The pace of these annotations; None if none was timed.

    `limit` is the longest counted time in seconds. To measure one annotator, pass
    `longest_counted_time` of the annotations of all annotators; the default is that of the given
    annotations.
    """
    limit = longest_counted_time(annotations) if limit is None else limit
    seconds = [min(a.seconds, limit) for a in annotations if a.seconds]
    return Pace(median(seconds), sum(seconds)) if seconds else None
