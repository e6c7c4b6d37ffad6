"""Composes a batch from the items of each arm, in random order. Pure and seeded."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]

Acquire = Callable[[Rows, int], Rows]
"""Asks the strategy to choose n of these pool rows. Both arrays are sorted."""

MAX_ATTEMPTS = 5
"""How many attempts a strategy has to fill a batch while ads reach their limit."""


class Arm(StrEnum):
    """Why an item is in a batch. Annotators never see it."""

    ACQUISITION = "acquisition"
    AUDIT = "audit"
    RANDOM_TRAIN = "random_train"
    GOLD = "gold"
    """Has a known answer: it measures how reliable annotators are, and nothing learns from it."""


@dataclass(frozen=True, slots=True)
class Selection:
    """One item of a batch.

    `probability` is the item's probability of being drawn; None if a strategy chose it.
    `position` is its place in the order that annotators see.
    """

    item_id: str
    row: int
    arm: Arm
    probability: float | None
    position: int

    @property
    def is_random(self) -> bool:
        """Whether it was drawn at random from the pool that the strategy chooses from. In the first
        batch, before there is a model, all items but audit and gold ones are."""
        return self.arm in (Arm.ACQUISITION, Arm.RANDOM_TRAIN) and self.probability is not None


@dataclass(frozen=True, slots=True)
class Quota:
    """The number of items of each arm."""

    acquisition: int
    audit: int
    random_train: int
    gold: int = 0


@dataclass(frozen=True, slots=True)
class Candidates:
    """Unlabelled items: pool rows, ids, text hashes and roots (ads), all (n,) and aligned."""

    rows: Rows
    ids: NDArray[np.str_]
    hashes: NDArray[np.str_]
    roots: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.rows)

    def distinct(self, taken: NDArray[np.str_] | None = None) -> "Candidates":
        """The first item of each text hash, without those whose hash is in `taken`."""
        _, first = np.unique(self.hashes, return_index=True)
        keep = np.sort(first)
        if taken is not None:
            keep = keep[~np.isin(self.hashes[keep], taken)]
        return Candidates(self.rows[keep], self.ids[keep], self.hashes[keep], self.roots[keep])

    def ads(self) -> Rows:
        """Numbers the ads 0, 1, … and returns the number of each item's ad, (n,)."""
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
    """Divides a batch among the arms.

    Until `audit_block` audit items have been selected, the audit arm gets `opening_share` of the
    batch, and `audit_share` afterwards (R7: a campaign begins with an audit block, spread over the
    first batches).
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
    quota: Quota,
    acquire: Acquire | None,
    rng: np.random.Generator,
    *,
    max_per_ad: int,
    gold: Candidates | None = None,
) -> list[Selection]:
    """Composes a batch with at most `max_per_ad` items of an ad, in the order annotators see it.

    Candidates must be sorted by row and have distinct text hashes (`Candidates.distinct`).
    `acquire(rows, n)` lets the strategy choose n of the pool rows; None (there is no model yet)
    draws them at random, and they get their inclusion probability. Places that another arm cannot
    fill go to acquisition. If there are too few candidates, the batch is smaller.
    """
    audited, chance = draw_positions(audit.ads(), quota.audit, max_per_ad, rng)
    picks: list[tuple[Candidates, int, Arm, float | None]] = [
        (audit, i, Arm.AUDIT, float(chance[i])) for i in audited
    ]

    hashes_taken = audit.hashes[audited]
    gold_positions: Rows = np.empty(0, dtype=np.int64)
    if gold is not None and quota.gold:
        gold = gold.distinct(hashes_taken)
        gold_positions = rng.permutation(len(gold))[: quota.gold]
        picks += [(gold, i, Arm.GOLD, len(gold_positions) / len(gold)) for i in gold_positions]
        hashes_taken = np.concatenate([hashes_taken, gold.hashes[gold_positions]])
    train = train.distinct(hashes_taken)  # one item per text in a batch
    ads = train.ads()
    n_acquire = quota.acquisition + quota.audit - len(audited)
    n_acquire += quota.gold - len(gold_positions)
    n_random = quota.random_train
    if acquire is None:
        drawn, chance = draw_positions(ads, n_random + n_acquire, max_per_ad, rng)
        shuffled = rng.permutation(drawn)
        for arm, positions in (
            (Arm.RANDOM_TRAIN, shuffled[:n_random]),
            (Arm.ACQUISITION, shuffled[n_random:]),
        ):
            share = len(positions) / max(1, len(drawn))
            picks += [(train, i, arm, float(chance[i] * share)) for i in positions]
    else:
        random_train, chance = draw_positions(ads, n_random, max_per_ad, rng)
        n_acquire += n_random - len(random_train)
        acquired = _by_strategy(acquire, train.rows, ads, random_train, n_acquire, max_per_ad, rng)
        picks += [(train, i, Arm.RANDOM_TRAIN, float(chance[i])) for i in random_train]
        picks += [(train, i, Arm.ACQUISITION, None) for i in acquired]

    order = rng.permutation(len(picks))
    return [
        Selection(
            item_id=str(pool.ids[i]),
            row=int(pool.rows[i]),
            arm=arm,
            probability=probability,
            position=position,
        )
        for position, (pool, i, arm, probability) in enumerate(picks[j] for j in order)
    ]


def draw_positions(
    ads: Rows, n: int, max_per_ad: int, rng: np.random.Generator
) -> tuple[Rows, NDArray[np.float64]]:
    """Draws n of m positions at random, at most `max_per_ad` of an ad.

    `ads` (m,) holds the number of each position's ad. Returns the drawn positions, sorted, and the
    inclusion probability of every position, (m,). The probability is n / m, unless an ad is so long
    that it would exceed `max_per_ad`: its items then share `max_per_ad` places, and the other items
    share the rest. Draws fewer than n if the ads do not allow more. This is systematic sampling
    along the ads in random order (Madow 1949, "On the theory of systematic sampling, II"), which
    gives an ad with an expected share of x places either floor(x) or ceil(x) of them.
    """
    sizes = np.bincount(ads)
    n = min(n, int(np.minimum(sizes, max_per_ad).sum()))
    full = np.zeros(len(sizes), dtype=bool)
    while True:  # limiting an ad frees places, so that further ads may reach the limit
        n_rest, n_items = n - max_per_ad * int(full.sum()), int(sizes[~full].sum())
        newly_full = ~full & (sizes * n_rest > max_per_ad * n_items)
        if not newly_full.any():
            break
        full |= newly_full
    probability = np.where(full[ads], max_per_ad / sizes[ads], n_rest / max(1, n_items))

    order = np.lexsort((rng.random(len(ads)), rng.permutation(len(sizes))[ads]))
    of_full_ads = order[full[ads[order]]]
    others = order[~full[ads[order]]]
    start = int(rng.integers(max(1, n_items)))
    drawn = others[(start + n_items * np.arange(n_rest)) // max(1, n_rest)]
    return np.sort(np.concatenate([_first(of_full_ads, ads, max_per_ad), drawn])), probability


def _by_strategy(
    acquire: Acquire,
    rows: Rows,
    ads: Rows,
    taken: Rows,
    n: int,
    max_per_ad: int,
    rng: np.random.Generator,
) -> Rows:
    """Lets the strategy choose n positions that are not in `taken`, so that no ad has more than
    `max_per_ad` positions in both together.

    A strategy returns a set, not a ranking, so it is called again: for each ad with too many items,
    to choose which of them stay; and then to fill the free places from ads that are not full. For a
    strategy that ranks, this equals going down the ranking and skipping full ads. In the last
    attempt no ad offers more items than it may have, which is certain to fill the batch.
    """
    allowed = max_per_ad - np.bincount(ads[taken], minlength=int(ads.max(initial=-1)) + 1)
    free = np.setdiff1d(np.arange(len(rows)), taken)
    chosen: Rows = np.empty(0, dtype=np.int64)
    for attempt in range(MAX_ATTEMPTS):
        free = free[allowed[ads[free]] > 0]
        if attempt == MAX_ATTEMPTS - 1:
            free = np.sort(_first(rng.permutation(free), ads, allowed[ads]))
        missing = min(n - len(chosen), len(free))
        if not missing:
            break
        chosen_now = _ask(acquire, rows, free, missing)
        for ad in np.flatnonzero(np.bincount(ads[chosen_now], minlength=len(allowed)) > allowed):
            of_ad = chosen_now[ads[chosen_now] == ad]
            to_keep = _ask(acquire, rows, of_ad, int(allowed[ad]))
            chosen_now = np.setdiff1d(chosen_now, np.setdiff1d(of_ad, to_keep))
        np.subtract.at(allowed, ads[chosen_now], 1)
        free = np.setdiff1d(free, chosen_now)
        chosen = np.concatenate([chosen, chosen_now])
    return chosen


def _ask(acquire: Acquire, rows: Rows, positions: Rows, n: int) -> Rows:
    return positions[np.searchsorted(rows[positions], acquire(rows[positions], n))]


def _first(order: Rows, ads: Rows, limit: int | Rows) -> Rows:
    """The positions in `order` that are among the first `limit` of their ad."""
    by_ad = order[np.argsort(ads[order], kind="stable")]
    rank = np.arange(len(by_ad)) - np.searchsorted(ads[by_ad], ads[by_ad])
    return by_ad[rank < (limit if isinstance(limit, int) else limit[by_ad])]
