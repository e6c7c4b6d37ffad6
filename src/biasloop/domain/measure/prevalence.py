"""What share of the pool has a label, from audit items and the model's verdicts on the whole pool.

The estimate is that of prediction-powered inference (Angelopoulos, Duchi and Zrnic 2023, "PPI++"):
what the model says of the whole pool, plus what it gets wrong on the audit items, each of which
stands for 1/chance items (Hájek 1971). How far the model is followed is tuned on the audit items;
where it is useless, the estimate is theirs alone. The pool is finite and the audit items are part
of it, so the model's mean over the pool is known and adds no error: this is the regression
estimator of survey sampling (Särndal, Swensson and Wretman 1992, chapter 6).
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.measure.resample import (
    LEVEL,
    Array,
    Interval,
    log_odds_interval,
    student_quantile,
)

MIN_AUDIT_POSITIVES = 10
"""With fewer positives among the audit items a share is not estimable."""
MIN_DEGREES = 4.0
"""Fewest degrees of freedom of Student's t: fewer make intervals that say nothing."""


@dataclass(frozen=True, slots=True)
class AuditedItems:
    """n audit items that people labelled, all fields (n,).

    `yes` is the label, `guess` the model's probability of it (0 to 1), `chance` the probability
    that the item was drawn, and `ads` the number of its ad. The share is the sum of `weight` over
    all items of the pool that have the label, divided by the sum of `size` over all items.
    """

    yes: NDArray[np.bool_]
    guess: Array
    chance: Array
    ads: NDArray[np.int64]
    weight: Array
    size: Array

    def __len__(self) -> int:
        return len(self.yes)

    @property
    def positives(self) -> int:
        """Items with the label."""
        return int(self.yes.sum())


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its interval; None if it is not estimable.

    `positives` of the `labels` audit labels are positive, `trust` says how far the estimate follows
    the model (0: not at all, 1: fully), and `needed` about how many audit labels it takes, in all,
    until the share is estimable.
    """

    interval: Interval | None
    positives: int
    labels: int
    trust: float | None = None
    needed: int | None = None


def estimate_share(
    audit: AuditedItems, guessed: float, *, figures: int = 1, offset: float = 0.0
) -> Share:
    """The share with its interval.

    `guessed` is the share by the model alone: the sum of weight x guess over all items of the pool,
    divided by the sum of size. `offset` is a known share that is added. With `figures` above 1, the
    intervals of that many figures hold together (Bonferroni).

    The interval is symmetric in log-odds, with Student's t. Its variance is between ads, and at
    least what the model's own probabilities imply. One error that was not seen is counted in: an
    audit that happens to show no error of the model does not prove that there is none.
    """
    positives, n = audit.positives, len(audit)
    if positives < MIN_AUDIT_POSITIVES or len(np.unique(audit.ads)) < 2:
        return Share(None, positives, n, needed=_labels_for_positives(positives, n))
    represents = 1 / audit.chance
    scale = represents / (represents * audit.size).sum()
    y, g = audit.weight * audit.yes, audit.weight * audit.guess
    share, by_model = float(scale @ y), float(scale @ g)
    error_y = _by_ad(scale * (y - share * audit.size), audit.ads)
    error_g = _by_ad(scale * (g - by_model * audit.size), audit.ads)
    trust = _tune(error_y, error_g)
    errors = error_y - trust * error_g

    squares = errors**2
    observed = squares.sum() * len(errors) / (len(errors) - 1)
    doubts = ((scale * audit.weight) ** 2 * audit.guess * (1 - audit.guess)).sum() * (trust > 0)
    counts = audit.weight > 0
    one_more = ((scale * np.where(counts, audit.weight, 1.0))[counts | ~counts.any()] ** 2).mean()
    variance = max(observed, doubts) + one_more
    degrees = squares.sum() ** 2 / max((squares**2).sum(), 1e-300)
    t = student_quantile(1 - (1 - LEVEL) / 2 / figures, max(degrees, MIN_DEGREES))
    value = offset + share + trust * (guessed - by_model)
    return Share(log_odds_interval(value, t * math.sqrt(variance)), positives, n, trust)


def labels_for_precision(share: Share, half_width: float) -> int | None:
    """About how many audit labels, in all, give an interval of +- `half_width`; None if the share
    is not estimable. The variance falls with the number of labels."""
    if share.interval is None:
        return None
    now = (share.interval.high - share.interval.low) / 2
    return math.ceil(share.labels * (now / half_width) ** 2)


def labels_at_most(half_width: float) -> int:
    """Labels that give +- `half_width` for any share, drawn with equal chances from ads that do not
    resemble themselves and without a model."""
    return math.ceil(0.25 * (NormalDist().inv_cdf((1 + LEVEL) / 2) / half_width) ** 2)


def _by_ad(values: Array, ads: NDArray[np.int64]) -> Array:
    _, number = np.unique(ads, return_inverse=True)
    return np.bincount(number, values).astype(np.float64)


def _tune(error_y: Array, error_g: Array) -> float:
    """The power tuning of PPI++: the share of the model's deviations that minimises the variance,
    between 0 and 1."""
    spread = float(error_g @ error_g)
    return float(np.clip((error_y @ error_g) / spread, 0, 1)) if spread > 0 else 0.0


def _labels_for_positives(positives: int, n: int) -> int:
    """About how many labels hold enough positives, if those to come are like the first n."""
    return math.ceil(MIN_AUDIT_POSITIVES * (n + 1) / max(positives, 0.5))
