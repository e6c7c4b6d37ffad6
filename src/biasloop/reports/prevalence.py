"""Which share of the pool has a label: sentences or ads, all or by group. For
`biasloop prevalence`, its --json, and the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.measure.ad_share import bound_ads
from biasloop.domain.measure.prevalence import (
    Share,
    estimate_share,
    labels_at_most,
    labels_for_precision,
)
from biasloop.domain.measure.resample import Array, Interval
from biasloop.reports.grouping import Grouping, group_ads
from biasloop.service.measured_pool import MeasuredPool, measure_pool
from biasloop.service.service import Service

MAX_GROUPS = 50
"""Maximum number of groups that are reported: those with the most items."""


class Unit(StrEnum):
    """What has the label."""

    SENTENCE = "sentence"
    """An item of the pool (a whole text in a campaign whose unit is the text)."""
    AD = "ad"
    """An ad, one of whose items has it."""


@dataclass(frozen=True, slots=True)
class LabelShare:
    """The share of one label. `low` and `high` are None if it is not estimable, and `needed` is
    then about how many audit labels, in all, would make it so. `value` is None as well where the
    audit only gives bounds (of ads with several sentences).

    `raw` is the share of what people labelled, `labelled` items however chosen, and `by_model` what
    the model alone would say; `trust` is how far the estimate follows it. `plan` is about how many
    audit labels in all give the planned precision.
    """

    label: str
    value: float | None
    low: float | None
    high: float | None
    positives: int
    audited: int
    needed: int | None
    trust: float | None
    by_model: float | None
    raw: float | None
    labelled: int
    plan: int | None


@dataclass(frozen=True, slots=True)
class GroupShares:
    """The shares of a group, "" for the whole pool, of `items` sentences in `ads` ads."""

    group: str
    items: int
    ads: int
    labels: Sequence[LabelShare]


@dataclass(frozen=True, slots=True)
class PrevalenceReport:
    """Shares of a unit, by `by` ("" for the whole pool); with `together`, all intervals of a group
    hold at once. `audited` and `unanswered` count the audit sample; `model` is the one whose
    verdicts are used, and `why_no_verdicts` why none are. `unscored` items had no verdict.
    `left_out` counts the groups beyond the largest, `planned` is the half width of `plan`.
    """

    unit: Unit
    by: str
    together: bool
    audited: int
    unanswered: int
    model: str | None
    why_no_verdicts: str
    unscored: int
    groups: Sequence[GroupShares]
    left_out: int
    planned: float
    plan_at_most: int


def report(
    service: Service,
    *,
    unit: Unit = Unit.SENTENCE,
    by: str = "",
    together: bool = False,
    half_width: float = 0.02,
    labels: Sequence[str] = (),
) -> PrevalenceReport:
    """The shares of all labels, or of these. Raises DataError if the ads have no such column."""
    pool = measure_pool(service)
    groups = group_ads(service, pool.rows, by) if by else Grouping.whole(len(pool.rows))
    sizes = np.bincount(groups.number, minlength=len(groups.names))
    largest = np.argsort(-sizes, kind="stable")[:MAX_GROUPS]
    measure = _Measure(service, pool, unit, half_width, together, labels)
    return PrevalenceReport(
        unit=unit,
        by=by,
        together=together,
        audited=len(pool.sample),
        unanswered=pool.unanswered,
        model=pool.verdicts.model if pool.verdicts else None,
        why_no_verdicts=pool.why_not,
        unscored=pool.verdicts.missing if pool.verdicts else 0,
        groups=[
            measure.group(groups.names[g], groups.number == g) for g in sorted(largest.tolist())
        ],
        left_out=len(groups.names) - len(largest),
        planned=half_width,
        plan_at_most=labels_at_most(half_width),
    )


@dataclass(frozen=True)
class _Measure:
    """What the figures of all groups have in common."""

    service: Service
    pool: MeasuredPool
    unit: Unit
    half_width: float
    together: bool
    labels: Sequence[str]

    def group(self, name: str, inside: NDArray[np.bool_]) -> GroupShares:
        """The shares of the items `inside` (N,)."""
        every = self.service.campaign.scheme.labels
        chosen = [label for label in every if label in self.labels or not self.labels]
        return GroupShares(
            group=name,
            items=int(inside.sum()),
            ads=len(np.unique(self.pool.ads[inside])),
            labels=[
                self._label(label, every.index(label), inside, len(chosen)) for label in chosen
            ],
        )

    def _label(self, label: str, number: int, inside: NDArray[np.bool_], chosen: int) -> LabelShare:
        pool, figures = self.pool, chosen if self.together else 1
        if self.unit is Unit.AD:
            share, value = self._of_ads(number, inside, figures)
        else:
            ones = inside.astype(np.float64)
            share = self._estimate(number, ones, ones, figures)
            value = share.interval.value if share.interval else None
        answers = pool.labels[inside, number]
        raw, labelled = self._raw(answers, pool.ads[inside])
        return LabelShare(
            label=label,
            value=value,
            low=share.interval.low if share.interval else None,
            high=share.interval.high if share.interval else None,
            positives=share.positives,
            audited=share.labels,
            needed=share.needed,
            trust=share.trust,
            by_model=self._by_model(number, inside),
            raw=raw,
            labelled=labelled,
            plan=labels_for_precision(share, self.half_width),
        )

    def _estimate(
        self, number: int, weight: Array, size: Array, figures: int, offset: float = 0.0
    ) -> Share:
        guess = self.pool.guesses(number)
        guessed = 0.0 if guess is None else float(weight @ guess) / max(float(size.sum()), 1e-300)
        audit = self.pool.audited(number, weight, size)
        return estimate_share(audit, guessed, figures=figures, offset=offset)

    def _of_ads(
        self, number: int, inside: NDArray[np.bool_], figures: int
    ) -> tuple[Share, float | None]:
        """The share of ads, from the lowest to the highest value, and the value itself if every ad
        is one item."""
        guess, verdicts = self.pool.guesses(number), self.pool.verdicts
        none = np.zeros(len(inside))
        bounds = bound_ads(
            self.pool.ads,
            none if guess is None else guess,
            none > 0 if guess is None or verdicts is None else verdicts.flags[:, number],
        )
        size = bounds.size * inside
        certain = float(bounds.certain @ inside) / max(float(size.sum()), 1e-300)
        low = self._estimate(number, bounds.lower * inside, size, figures)
        high = self._estimate(number, bounds.upper * inside, size, figures, certain)
        if low.interval is None or high.interval is None:
            return low, None
        one_each = bool((bounds.size[inside] == 1).all())
        middle = (low.interval.value + high.interval.value) / 2
        interval = Interval(middle, low.interval.low, max(high.interval.high, low.interval.low))
        share = Share(interval, low.positives, low.labels, low.trust)
        return share, low.interval.value if one_each else None

    def _by_model(self, number: int, inside: NDArray[np.bool_]) -> float | None:
        """The share of items, or of ads, that the model flags."""
        if self.pool.verdicts is None or self.pool.guesses(number) is None or not inside.any():
            return None
        flags = self.pool.verdicts.flags[inside, number]
        return _share(flags, self.pool.ads[inside], self.unit)

    def _raw(self, answers: NDArray[np.int8], ads: NDArray[np.int64]) -> tuple[float | None, int]:
        """(share, number) of what people labelled, without regard to how it was chosen."""
        asked = answers >= 0
        if not asked.any():
            return None, 0
        n = len(np.unique(ads[asked])) if self.unit is Unit.AD else int(asked.sum())
        return _share(answers[asked] == 1, ads[asked], self.unit), n


def _share(yes: NDArray[np.bool_], ads: NDArray[np.int64], unit: Unit) -> float:
    if unit is Unit.AD:
        of_ad = np.unique(ads, return_inverse=True)[1]
        yes = np.bincount(of_ad, yes) > 0
    return float(yes.mean())
