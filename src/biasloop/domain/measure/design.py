"""Random draws with known chances, and what an item's chance is over all of them.

Every draw of an arm gives each item of its frame a chance, whether the item is labelled by then or
not. An item that is drawn again needs no second answer; it merely counts as drawn. So the chances
of a draw do not depend on which items were drawn or labelled before, the draws are independent, and
an item's chance of having been drawn at all is 1 - (1 - p_1)(1 - p_2)… over the draws whose frames
held it. Weights of one over this probability (Horvitz and Thompson 1952, "A generalization of
sampling without replacement from a finite universe") make sums over the drawn items unbiased for
the frame.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]

CERTAIN = 1e-9
"""An item that was left out with a smaller chance counts as drawn with certainty."""
UNIFORM_PART = 0.3
"""Share of the chances of audit items that does not depend on what a model says."""
EXPECTED_F1 = (0.05, 0.95)
"""Limits of the F1 that a model expects of itself: at 0 no item would tell anything."""
EXPLAINED = 0.1
"""From which share of a label's variance on, by its own probabilities, a model is fully trusted."""
STEPS = 100
"""Maximum number of bisections in the search for the chances."""


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """One draw of an arm: `chances` (rows,) of the pool rows, 0 outside the frame, and the rows
    that were drawn, `hits`, in ascending order. Some of them may have been labelled before."""

    arm: str
    chances: NDArray[np.float32]
    hits: tuple[int, ...]

    @classmethod
    def from_frame(cls, arm: str, rows: Rows, chances: Array, hits: Rows) -> "Draw":
        """From the pool rows (m,) of the frame, sorted, and their chances (m,)."""
        of_pool = np.zeros(int(rows[-1]) + 1 if len(rows) else 0, np.float32)
        of_pool[rows] = chances
        return cls(arm, of_pool, tuple(np.sort(hits).tolist()))


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """How the items of one arm's frame came to be known, all (rows,) by pool row.

    `chance` is that of having been drawn at least once (0: in no frame), `drawn` says which were,
    and `certain` which came with labels by people: no draw was needed to know them.
    """

    chance: Array
    drawn: Mask
    certain: Mask

    @property
    def probability(self) -> Array:
        """The inclusion probability of each item over all rounds; NaN where it has none, because no
        draw could have drawn it."""
        drawn = np.where(self.chance > 0, self.chance, np.nan)
        return np.where(self.certain, 1.0, drawn)

    @property
    def sampled(self) -> Mask:
        """Which items stand for the frame, with weights of one over their probability."""
        return self.drawn | self.certain

    @property
    def sampled_probability(self) -> Array:
        """The inclusion probability of the sampled items; NaN for all others."""
        return np.where(self.sampled, self.probability, np.nan)

    @classmethod
    def from_draws(cls, draws: Iterable[Draw], rows: int) -> "Design":
        """What independent draws from the first `rows` pool rows come to."""
        missed, drawn = np.ones(rows), np.zeros(rows, dtype=bool)
        for draw in draws:
            chances = draw.chances[:rows]
            missed[: len(chances)] *= 1 - chances.astype(np.float64)
            hits = np.array(draw.hits, dtype=np.int64)
            drawn[hits[hits < rows]] = True
        return cls(1 - missed, drawn, np.zeros(rows, dtype=bool))


def audit_sizes(proba: NDArray[np.floating], flags: Mask) -> Array:
    """The relative chances (m,) of m items by which their labels say most about F1, if a model is
    right.

    `proba` and `flags` (m, k) are its probabilities and verdicts; an item of which it says nothing
    has NaN. For one label, these are the chances that minimise the variance of F1 if the
    probabilities are calibrated (Sawade, Landwehr and Scheffer 2010, "Active estimation of
    F-measures"): proportional to the root of the expected square of an item's contribution to the
    error. For several labels the squares are added, which minimises the sum of the variances.

    Probabilities may be wrong, and another model may be judged later. So a share UNIFORM_PART of
    the chances is equal, and all are equal as far as the model does not tell items apart: for a
    label of which it explains less than EXPLAINED of the variance.
    """
    m = len(proba)
    known = ~np.isnan(proba).any(axis=1)
    squares = np.zeros(m)
    for p, flag in zip(proba[known].T.astype(np.float64), flags[known].T, strict=True):
        positive = p.sum() + flag.sum()
        if positive > 0:
            f1 = np.clip(2 * p[flag].sum() / positive, *EXPECTED_F1)
            flagged = p * (1 - f1) ** 2 + (1 - p) * f1**2 / 4
            expected = np.where(flag, flagged, p * f1**2 / 4) / positive**2
            told_apart = min(1.0, p.var() / max(p.mean() * (1 - p.mean()), 1e-12) / EXPLAINED)
            squares[known] += told_apart * expected + (1 - told_apart) * expected.mean()
    sizes = np.sqrt(squares)
    if not sizes.any():
        return np.ones(m)
    sizes[~known] = sizes[known].mean()
    return np.asarray(UNIFORM_PART + (1 - UNIFORM_PART) * sizes / sizes.mean())


def draw_chances(sizes: Array, before: Array, ads: Rows, wanted: float, max_per_ad: int) -> Array:
    """The chances (m,) that m items get in a draw, so that on average `wanted` are drawn that no
    earlier draw has drawn; fewer if the ads do not allow more.

    They are proportional to `sizes` (m,) up to 1. `before` (m,) is each item's chance of having
    been drawn so far; one that was certain to be is not drawn again. `ads` (m,) has the number of
    each item's ad: an ad from which more than `max_per_ad` new items would come on average gets
    smaller chances. All of this is known without looking at which items were drawn.
    """
    missing = np.where(1 - before > CERTAIN, 1 - before, 0.0)
    sizes = np.where(missing > 0, sizes, 0.0)

    def chances(factor: float) -> Array:
        proportional = np.minimum(1.0, factor * sizes)
        new = np.bincount(ads, weights=proportional * missing)
        limited = np.minimum(1.0, max_per_ad / np.maximum(new, max_per_ad))
        return np.asarray(proportional * limited[ads])

    if wanted <= 0 or not (sizes > 0).any():
        return np.zeros(len(sizes))
    low, high = wanted / float(sizes @ missing), 1 / float(sizes[sizes > 0].min())
    if low >= high or float(chances(high) @ missing) <= wanted:
        return chances(high)
    for _ in range(STEPS):
        excess = float(chances(low) @ missing) - wanted
        if excess > -1e-9 * wanted:  # at first, and mostly, it needs no search
            break
        middle = (low + high) / 2
        if float(chances(middle) @ missing) > wanted:
            high = middle
        else:
            low = middle
    return chances(low)


def draw_positions(chances: Array, ads: Rows, rng: np.random.Generator) -> Rows:
    """Draws positions with these chances (m,); returns them sorted.

    Systematic sampling along the ads in random order (Madow 1949, "On the theory of systematic
    sampling, II"): the number drawn, and that of each ad, differs from what is expected by less
    than one. `ads` (m,) has the number of each position's ad.
    """
    ad_order = rng.permutation(int(ads.max(initial=-1)) + 1)
    order = np.lexsort((rng.random(len(ads)), ad_order[ads]))
    ends = np.round(np.cumsum(chances[order]), 9)  # whole numbers stay whole
    total = float(ends[-1]) if len(ends) else 0.0
    start = float(rng.random())
    points = start + np.arange(max(0, int(np.ceil(total - start))))
    points = points[points < total]
    positions: Rows = np.unique(order[np.searchsorted(ends, points, side="right")])
    return positions
