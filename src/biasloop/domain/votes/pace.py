"""How long annotators take for an item, by the time that Label Studio measures for each annotation,
and how many items they answer in a minute, by when they answer."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median

from biasloop.domain.annotation import Annotation, Standing

MAX_TIMES_MEDIAN = 10
"""An annotation that took longer than this many medians was probably left in an open tab. It counts
as this long; a longer time without any answer is a pause."""

MIN_GAPS = 5
"""Fewer times from one answer to the next say nothing about the pace."""


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


def labels_per_minute(moments: Iterable[datetime]) -> float | None:
    """How many items all annotators together answer in a minute, given when each was answered; None
    if there are too few. Pauses count neither as time nor as answers."""
    gaps = [(after - before).total_seconds() for before, after in pairwise(sorted(moments))]
    limit = MAX_TIMES_MEDIAN * median([gap for gap in gaps if gap] or [0])
    working = [gap for gap in gaps if gap <= limit]
    if len(working) < MIN_GAPS or not sum(working):
        return None
    return round(60 * len(working) / sum(working), 3)


def moments_answered(
    annotations: Iterable[Annotation], items: Collection[str], per_item: int
) -> list[datetime]:
    """When each of these answered items got the answer that it needed last; further votes do not
    count."""
    moments: dict[str, list[datetime]] = defaultdict(list)
    for annotation in annotations:
        if annotation.item_id in items and annotation.standing is not Standing.DELETED:
            moments[annotation.item_id].append(annotation.at)
    return [sorted(times)[:per_item][-1] for times in moments.values()]
