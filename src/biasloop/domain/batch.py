"""What goes into a batch: arms, quotas, order. Pure and seeded."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]

Acquire = Callable[[Rows, int], Rows]
"""n of these pool rows by strategy; sorted in, sorted out."""

MAX_STRATEGY_CALLS = 5
"""How often a strategy is asked again for what ads that were full left open."""


class Arm(StrEnum):
    """Why an item is in a batch. Annotators never see it."""

    ACQUISITION = "acquisition"
    AUDIT = "audit"
    RANDOM_TRAIN = "random_train"
    GOLD = "gold"
    """Its answer is known: it tells how people judge, and nothing learns from it."""


@dataclass(frozen=True, slots=True)
class Selection:
    """One item of a batch.

    `probability` is the chance that the item had of being drawn; None where a strategy chose it
    without chance. `position` is its place in the order that annotators see.
    """

    item_id: str
    row: int
    arm: Arm
    probability: float | None
    position: int


@dataclass(frozen=True, slots=True)
class Quota:
    """How many items each arm gets."""

    acquisition: int
    audit: int
    random_train: int
    gold: int = 0


@dataclass(frozen=True, slots=True)
class Candidates:
    """Unlabelled items, aligned: pool rows, ids, text hashes and roots (ads), all of shape (n,)."""

    rows: Rows
    ids: NDArray[np.str_]
    hashes: NDArray[np.str_]
    roots: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.rows)

    def distinct(self, taken: NDArray[np.str_] | None = None) -> "Candidates":
        """One item per text_hash (the first), without those whose hash is in `taken`."""
        _, first = np.unique(self.hashes, return_index=True)
        keep = np.sort(first)
        if taken is not None:
            keep = keep[~np.isin(self.hashes[keep], taken)]
        return Candidates(self.rows[keep], self.ids[keep], self.hashes[keep], self.roots[keep])

    def ads(self) -> Rows:
        """The number of each item's ad, 0, 1, …, shape (n,)."""
        return np.unique(self.roots, return_inverse=True)[1].astype(np.int64)


def split_batch(
    batch_size: int,
    *,
    audit_done: int,
    audit_block: int,
    audit_share: float,
    random_share: float,
    gold_share: float = 0.0,
    opening_share: float = 0.4,
) -> Quota:
    """Splits a batch among the arms.

    Until `audit_block` audit items have been selected, the audit arm takes `opening_share` of the
    batch (R7: a campaign begins with an audit block, spread over the first batches); afterwards
    `audit_share`.
    """
    missing = max(0, audit_block - audit_done)
    share = opening_share if missing else audit_share
    audit = round(batch_size * share)
    if missing:
        audit = min(audit, max(missing, round(batch_size * audit_share)))
    random_train = min(round(batch_size * random_share), batch_size - audit)
    gold = min(round(batch_size * gold_share), batch_size - audit - random_train)
    return Quota(batch_size - audit - random_train - gold, audit, random_train, gold)


def compose_batch(
    train: Candidates,
    audit: Candidates,
    wanted: Quota,
    acquire: Acquire | None,
    rng: np.random.Generator,
    *,
    max_per_ad: int,
    gold: Candidates | None = None,
) -> list[Selection]:
    """The batch, in the order in which people see it; at most `max_per_ad` items of one ad.

    Candidates are sorted by row and distinct in text hash (`Candidates.distinct`).
    `acquire(rows, n)` returns n of the pool rows by strategy; None (no model yet) draws them at
    random, and then they carry their inclusion probability. What another arm cannot fill,
    acquisition takes over; a short pool gives a short batch.
    """
    audited, chance = draw_positions(audit.ads(), wanted.audit, max_per_ad, rng)
    drawn: list[tuple[Candidates, int, Arm, float | None]] = [
        (audit, i, Arm.AUDIT, float(chance[i])) for i in audited
    ]

    taken, n_known = audit.hashes[audited], 0
    if gold is not None and wanted.gold:
        gold = gold.distinct(taken)
        known = rng.permutation(len(gold))[: wanted.gold]
        drawn += [(gold, i, Arm.GOLD, len(known) / len(gold)) for i in known]
        taken, n_known = np.concatenate([taken, gold.hashes[known]]), len(known)
    train = train.distinct(taken)  # one item per text in a batch
    ads = train.ads()
    n_acquire = wanted.acquisition + wanted.audit - len(audited) + wanted.gold - n_known
    n_random = wanted.random_train
    if acquire is None:
        both, chance = draw_positions(ads, n_random + n_acquire, max_per_ad, rng)
        mixed = rng.permutation(both)
        for arm, part in (
            (Arm.RANDOM_TRAIN, mixed[:n_random]),
            (Arm.ACQUISITION, mixed[n_random:]),
        ):
            share = len(part) / max(1, len(both))
            drawn += [(train, i, arm, float(chance[i] * share)) for i in part]
    else:
        random_train, chance = draw_positions(ads, n_random, max_per_ad, rng)
        n_acquire += n_random - len(random_train)
        acquired = _by_strategy(acquire, train.rows, ads, random_train, n_acquire, max_per_ad, rng)
        drawn += [(train, i, Arm.RANDOM_TRAIN, float(chance[i])) for i in random_train]
        drawn += [(train, i, Arm.ACQUISITION, None) for i in acquired]

    order = rng.permutation(len(drawn))
    return [
        Selection(
            item_id=str(pool.ids[i]),
            row=int(pool.rows[i]),
            arm=arm,
            probability=probability,
            position=position,
        )
        for position, (pool, i, arm, probability) in enumerate(drawn[j] for j in order)
    ]


def draw_positions(
    ads: Rows, n: int, most: int, rng: np.random.Generator
) -> tuple[Rows, NDArray[np.float64]]:
    """n positions at random, at most `most` of one ad, sorted; and every position's chance (m,).

    `ads` (m,) are the numbers of their ads. All have the same chance, n / m, unless an ad is so
    long that it would exceed `most`: its items then share `most` places, the others the rest.
    Fewer than n where the ads do not allow more. Systematic sampling along the ads in random
    order (Madow 1949, "On the theory of systematic sampling, II"), which gives an ad with a share
    of x places either floor(x) or ceil(x) of them.
    """
    sizes = np.bincount(ads)
    n = min(n, int(np.minimum(sizes, most).sum()))
    full = np.zeros(len(sizes), dtype=bool)
    while True:  # ads that would get more than `most`, then those that would now, …
        left, size = n - most * int(full.sum()), int(sizes[~full].sum())
        more = ~full & (sizes * left > most * size)
        if not more.any():
            break
        full |= more
    chance = np.where(full[ads], most / sizes[ads], left / max(1, size))

    order = np.lexsort((rng.random(len(ads)), rng.permutation(len(sizes))[ads]))
    in_full = order[full[ads[order]]]
    rest = order[~full[ads[order]]]
    start = int(rng.integers(max(1, size)))
    along = rest[(start + size * np.arange(left)) // max(1, left)]
    return np.sort(np.concatenate([_first(in_full, ads, most), along])), chance


def _by_strategy(
    acquire: Acquire,
    rows: Rows,
    ads: Rows,
    taken: Rows,
    n: int,
    most: int,
    rng: np.random.Generator,
) -> Rows:
    """n positions by strategy, beside those `taken`, at most `most` of one ad with them.

    A strategy does not rank, so it is asked again: which of an ad's items it would keep, and what
    it takes once the ads that are full are out of the way. For a strategy that ranks, this goes
    down its ranking and skips full ads. The last time it is offered no more of an ad than the ad
    may have, which fills the batch for certain.
    """
    allowed = most - np.bincount(ads[taken], minlength=int(ads.max(initial=-1)) + 1)
    free = np.setdiff1d(np.arange(len(rows)), taken)
    chosen: Rows = np.empty(0, dtype=np.int64)
    for ask in range(MAX_STRATEGY_CALLS):
        free = free[allowed[ads[free]] > 0]
        if ask == MAX_STRATEGY_CALLS - 1:
            free = np.sort(_first(rng.permutation(free), ads, allowed[ads]))
        missing = min(n - len(chosen), len(free))
        if not missing:
            break
        picked = _ask(acquire, rows, free, missing)
        for ad in np.flatnonzero(np.bincount(ads[picked], minlength=len(allowed)) > allowed):
            of_ad = picked[ads[picked] == ad]
            kept = _ask(acquire, rows, of_ad, int(allowed[ad]))
            picked = np.setdiff1d(picked, np.setdiff1d(of_ad, kept))
        np.subtract.at(allowed, ads[picked], 1)
        free = np.setdiff1d(free, picked)
        chosen = np.concatenate([chosen, picked])
    return chosen


def _ask(acquire: Acquire, rows: Rows, positions: Rows, n: int) -> Rows:
    return positions[np.searchsorted(rows[positions], acquire(rows[positions], n))]


def _first(order: Rows, ads: Rows, most: int | Rows) -> Rows:
    """The positions in `order` that are among the first `most` of their ad."""
    by_ad = order[np.argsort(ads[order], kind="stable")]
    place = np.arange(len(by_ad)) - np.searchsorted(ads[by_ad], ads[by_ad])
    return by_ad[place < (most if isinstance(most, int) else most[by_ad])]
