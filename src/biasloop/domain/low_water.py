"""The low-water mark: at how many open tasks the next batch is made, so that no queue is empty."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median

from biasloop.domain.round import Round

RECENT = 5
"""Number of newest measured rounds whose median counts as usual."""

LABELS_PER_MINUTE = "labels_per_minute"
PREPARATION = "preparation_minutes"
"""Facts of a round: how fast it was labelled, and minutes from its opening until its batch was in
Label Studio."""


@dataclass(frozen=True, slots=True)
class Lead:
    """Usual labels a minute, by all annotators together, and usual minutes that a batch takes to be
    made; None: never measured."""

    labels_per_minute: float | None = None
    minutes: float | None = None

    @property
    def labels(self) -> int:
        """How many tasks annotators label while a batch is made; 0 if that is not known."""
        return ceil((self.labels_per_minute or 0) * (self.minutes or 0))


@dataclass(frozen=True, slots=True)
class LowWater:
    """The mark, and the measured lead that it takes into account."""

    mark: int
    lead: Lead


def low_water_mark(tasks: int, annotators: int, setting: int, lead: Lead) -> LowWater:
    """The mark of a round with that many tasks and annotators.

    It is what annotators label while the next batch is made, and at least `setting` for each of
    them, but at most half of the tasks. A setting above that half holds. With the setting 0 every
    task is waited for. A batch smaller than the mark is not over before somebody has answered.
    """
    lead = lead if setting else Lead()
    mark = max(setting, min(max(setting * annotators, lead.labels), tasks // 2))
    return LowWater(min(mark, max(0, tasks - 1)), lead)


def usual_lead(rounds: Sequence[Round], labels_per_minute: float | None) -> Lead:
    """The lead to expect after these rounds, oldest first; `labels_per_minute` is the pace of the
    one that is being labelled (None: not measured yet)."""
    paces = [r.facts.get(LABELS_PER_MINUTE) for r in rounds]
    return Lead(_recent_median([*paces, labels_per_minute]), usual_minutes(rounds))


def usual_minutes(rounds: Sequence[Round]) -> float | None:
    """Minutes that the next batch takes from its opening until annotators have it; None before the
    first one was measured.

    The first rounds of a campaign have no model yet and take no time to score, so they count only
    as long as there are no others.
    """
    measured = [r for r in rounds if r.facts.get(PREPARATION) is not None]
    scored = [r for r in measured if r.facts.get("scored_with")]
    return _recent_median([r.facts[PREPARATION] for r in scored or measured])


def _recent_median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(median(known[-RECENT:]), 3) if known else None
