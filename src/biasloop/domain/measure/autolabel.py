"""Which items a machine may label so that, with a stated chance, few of its labels are wrong.

Learn then Test (Angelopoulos, Bates, Candès, Jordan and Lei 2021, "Learn then Test: calibrating
predictive algorithms to achieve risk control"): each confidence from which on the machine would
label has the hypothesis that more than `risk` of what it labels is wrong. The hypotheses are tested
in a fixed order, from the surest items on, each at level `delta`, until one cannot be rejected; so
the chance that any rejected one is true is at most `delta`.

The test is exact for any number of labels. Audit items have unequal chances, and those of an ad may
be wrong together. So, of the audited items of an ad that the machine would label, one is kept at
random; q, the chance of being kept, is known. It is then kept with a chance of c/q, where c is the
smallest q of the region: the kept items are a sample with equal chances, from different ads, and
their errors are binomial at the true risk. (For independent draws, as in Poisson sampling; draws
that spread over the ads, as `draw_positions` does, keep no fewer of an ad.) Betting on weighted
losses instead (Waudby-Smith and Ramdas 2024, "Estimating means of bounded random variables by
betting") labels fewer items in simulations: a fixed bet pays for the heaviest weight, and Markov's
inequality for the rest.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.measure.resample import Array

Mask = NDArray[np.bool_]
Rows = NDArray[np.int64]

STEPS = 20
"""Confidences that are tried: those of the surest 1/STEPS of the pool, 2/STEPS …"""
ERRORS_AT_FIRST, FEWEST_AT_FIRST = 2.6, 1.3
"""The number of errors to be expected at the stated risk in the first region that is tested, in
multiples of ln(1/delta), which is what it takes to be sure if none is seen. The higher one holds
where the surer half of the pool has such a region, so that a chance error does not end the tests at
once."""
NODES, NODE_WEIGHTS = (each / 2 for each in np.polynomial.legendre.leggauss(16))
"""Of Gauss-Legendre quadrature on [-1/2, 1/2]."""


@dataclass(frozen=True, slots=True)
class AuditFrame:
    """The m items that an audit may draw, all fields (m,): the model's `confidence` in its verdict
    on each (0.5 to 1), the `chance` (above 0) that it was drawn, the number of its ad, whether
    people `answered`, whether the verdict was `wrong` (where they did), and a random number
    `ticket` in [0, 1), that depends on nothing else and is the same at every call."""

    confidence: Array
    chance: Array
    ads: Rows
    answered: Mask
    wrong: Mask
    ticket: Array


@dataclass(frozen=True, slots=True)
class Step:
    """The test for one confidence: the `share` of the pool from it on; `kept` audit items, of whose
    verdicts `errors` are wrong, and how many are kept on average (`expected`); and the p-value of
    the hypothesis that the risk is exceeded."""

    confidence: float
    share: float
    kept: int
    errors: int
    expected: float
    p_value: float


@dataclass(frozen=True, slots=True)
class Certificate:
    """`chosen` is the last step that passed; None if the audit cannot carry any. `tested` are all
    steps that were tested. If none passed, `needed` is about how many audit labels it would take in
    total, or `needed_ads` how many audit ads where there are fewer, since one item of each is kept;
    neither, if the model errs so often among its surest verdicts that more would hardly help."""

    chosen: Step | None
    tested: Sequence[Step]
    needed: int | None
    needed_ads: int | None


def certify(frame: AuditFrame, pool: Array, risk: float, delta: float) -> Certificate:
    """From which confidence on at most `risk` of the verdicts are wrong, with a chance of at least
    1 - `delta`. `pool` (n,) has the confidences of all items."""
    steps = _test_confidences(frame, pool, risk)
    first = _choose_first(steps, risk, delta)
    tested: list[Step] = []
    for step in steps[first:] if first is not None else []:
        tested.append(step)
        if step.p_value > delta:
            break
    passed = [step for step in tested if step.p_value <= delta]
    if passed:
        return Certificate(passed[-1], tested, None, None)
    needed = _estimate_needed(steps, tested, risk, delta)
    if needed is None:
        return Certificate(None, tested, None, None)
    kept, factor = needed
    if kept > len(np.unique(frame.ads)):
        return Certificate(None, tested, None, kept)
    return Certificate(None, tested, math.ceil(factor * np.count_nonzero(frame.answered)), None)


def _test_confidences(frame: AuditFrame, pool: Array, risk: float) -> list[Step]:
    """A step for each of at most `STEPS` confidences, from the highest on."""
    surest = np.sort(pool)[::-1]
    counts = np.unique(np.ceil(len(pool) * np.arange(1, STEPS + 1) / STEPS).astype(int))
    confidences = np.unique(surest[counts[counts > 0] - 1])[::-1]
    return [_test_confidence(frame, pool, float(confidence), risk) for confidence in confidences]


def _test_confidence(frame: AuditFrame, pool: Array, confidence: float, risk: float) -> Step:
    share = float((pool >= confidence).mean())
    region = np.flatnonzero(frame.confidence >= confidence)
    if not len(region):
        return Step(confidence, share, 0, 0, 0.0, 1.0)
    chance = frame.chance[region] * chance_of_one_per_ad(frame.chance[region], frame.ads[region])
    lowest = chance.min()
    answered = np.flatnonzero(frame.answered[region])
    ticket = frame.ticket[region][answered]
    order = answered[np.argsort(ticket, kind="stable")]
    _, first, k = np.unique(frame.ads[region][order], return_index=True, return_counts=True)
    one_per_ad = order[first]
    # The smallest of k tickets is not uniform; 1 - (1 - ticket)^k is.
    uniform = 1 - (1 - frame.ticket[region][one_per_ad]) ** k
    kept = region[one_per_ad[uniform < lowest / chance[one_per_ad]]]
    errors = int(frame.wrong[kept].sum())
    return Step(
        confidence,
        share,
        len(kept),
        errors,
        len(region) * float(lowest),
        binomial_cdf(errors, len(kept), risk),
    )


def chance_of_one_per_ad(chance: Array, ads: Rows) -> Array:
    """For each of m items that are drawn independently with these chances (m,): the chance that it
    is the one kept, if it is drawn and one drawn item of its ad is kept at random, (m,).

    That is E[1 / (1 + K)] for the number K of the other drawn ones, the integral over s from 0 to 1
    of the product of their 1 - chance x (1 - s).
    """
    number = np.unique(ads, return_inverse=True)[1]
    chance_kept = np.zeros(len(chance))
    for node, weight in zip(NODES + 0.5, NODE_WEIGHTS, strict=True):
        logs = np.log1p(-chance * (1 - node))
        chance_kept += weight * np.exp(np.bincount(number, logs)[number] - logs)
    return chance_kept


def binomial_cdf(successes: int, n: int, p: float) -> float:
    """The chance of at most `successes` (0 or more) in n trials of chance `p`, which is above 0 and
    below 1."""
    logs = [
        math.lgamma(n + 1)
        - math.lgamma(k + 1)
        - math.lgamma(n - k + 1)
        + k * math.log(p)
        + (n - k) * math.log1p(-p)
        for k in range(successes + 1)
    ]
    return min(1.0, math.fsum(map(math.exp, logs)))


def _choose_first(steps: Sequence[Step], risk: float, delta: float) -> int | None:
    """The number of the step where the tests begin, which depends on chances alone, not on what
    was drawn or answered; None if no step could pass."""
    sure = math.log(1 / delta)
    for errors, at_most in ((ERRORS_AT_FIRST, 0.5), (FEWEST_AT_FIRST, 1.0)):
        for number, step in enumerate(steps):
            if step.expected * risk >= errors * sure and step.share <= at_most:
                return number
    return None


def _estimate_needed(
    steps: Sequence[Step], tested: Sequence[Step], risk: float, delta: float
) -> tuple[int, float] | None:
    """About how many audit items must be kept, and by which factor the audit must grow for that.
    One more error is allowed for than was seen. None if there are too many errors."""
    if not tested:
        most = max((step.expected for step in steps), default=0.0)
        kept = math.ceil(FEWEST_AT_FIRST * math.log(1 / delta) / risk)
        return (kept, max(1.0, kept / most)) if most > 0 else None
    step, factor = tested[-1], 1.0
    if step.kept == 0 or (step.errors + 1) / step.kept >= risk:
        return None
    while (
        binomial_cdf(math.ceil(step.errors * factor) + 1, math.floor(step.kept * factor), risk)
        > delta
    ):
        factor *= 1.1
    return math.ceil(step.kept * factor), factor
