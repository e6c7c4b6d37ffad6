"""Composes a batch from the items of each arm, in random order. Pure and seeded."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.measure.design import Array, Draw, Mask, draw_chances, draw_positions

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

    `probability` is the item's chance in the draw of this round (over all rounds it is that of
    measure.design.Design); None if a strategy chose it. `position` is its place in the order that
    annotators see.
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
        return self.at(keep)

    def at(self, positions: Rows | Mask) -> "Candidates":
        """The items at these positions."""
        return Candidates(
            self.rows[positions], self.ids[positions], self.hashes[positions], self.roots[positions]
        )

    def ads(self) -> Rows:
        """Numbers the ads 0, 1, … and returns the number of each item's ad, (n,)."""
        return np.unique(self.roots, return_inverse=True)[1].astype(np.int64)


@dataclass(frozen=True, slots=True)
class Frame:
    """What a random arm draws from: `items`, sorted by row and with distinct text hashes, and more
    about each of them, all (m,).

    `free` says which may go to annotators: no batch has held them, and nobody has labelled them.
    `before` is their chance of having been drawn in earlier rounds, and `drawn` which ones were.
    `sizes` are their relative chances in the next draw.
    """

    items: Candidates
    free: Mask
    before: Array
    drawn: Mask
    sizes: Array

    @classmethod
    def fresh(cls, items: Candidates) -> "Frame":
        """A frame from which nothing was drawn yet, with equal chances."""
        m = len(items)
        nothing = np.zeros(m, dtype=bool)
        return cls(items, ~nothing, np.zeros(m), nothing, np.ones(m))

    def without(self, hashes: NDArray[np.str_]) -> "Frame":
        """The same without the items with these text hashes."""
        keep = ~np.isin(self.items.hashes, hashes)
        return Frame(
            self.items.at(keep),
            self.free[keep],
            self.before[keep],
            self.drawn[keep],
            self.sizes[keep],
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """The items of a batch, in the order in which annotators see them, and its random draws."""

    selections: list[Selection]
    draws: list[Draw]


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
    train: Frame,
    audit: Frame,
    quota: Quota,
    acquire: Acquire | None,
    rng: np.random.Generator,
    *,
    max_per_ad: int,
    gold: Candidates | None = None,
) -> Batch:
    """Composes a batch with at most `max_per_ad` items of an ad.

    `acquire(rows, n)` lets the strategy choose n of the pool rows; None (there is no model yet)
    draws them at random, and they get their inclusion probability. Places that another arm cannot
    fill go to acquisition. If there are too few candidates, the batch is smaller.

    A random arm asks about what it draws and nobody was asked about, on average as many items as
    its quota says. What an arm has drawn and has no place for is asked in a later batch.
    """
    total = quota.acquisition + quota.audit + quota.random_train
    audited, chance, draws = _at_random(
        Arm.AUDIT, audit, quota.audit, total - quota.random_train, max_per_ad, rng
    )
    picks: list[tuple[Candidates, int, Arm, float | None]] = [
        (audit.items, i, Arm.AUDIT, float(chance[i])) for i in audited
    ]
    hashes_taken = audit.items.hashes[audited]
    if gold is not None and quota.gold:
        gold = gold.distinct(hashes_taken)
        gold_positions = rng.permutation(len(gold))[: quota.gold]
        picks += [(gold, i, Arm.GOLD, len(gold_positions) / len(gold)) for i in gold_positions]
        hashes_taken = np.concatenate([hashes_taken, gold.hashes[gold_positions]])
    train = train.without(hashes_taken)  # one item per text in a batch
    room = total + quota.gold - len(picks)
    drawn, chance, train_draws = _at_random(
        Arm.RANDOM_TRAIN, train, quota.random_train if acquire else room, room, max_per_ad, rng
    )
    n_random = len(drawn) if acquire else quota.random_train
    for position, i in enumerate(drawn):
        arm = Arm.RANDOM_TRAIN if position < n_random else Arm.ACQUISITION
        picks.append((train.items, i, arm, float(chance[i])))
    acquired = _by_strategy(
        acquire or (lambda rows, n: np.sort(rng.choice(rows, n, replace=False))),
        train,
        drawn,
        room - len(drawn),
        max_per_ad,
        rng,
    )
    picks += [(train.items, i, Arm.ACQUISITION, None) for i in acquired]

    order = rng.permutation(len(picks))
    selections = [
        Selection(
            item_id=str(items.ids[i]),
            row=int(items.rows[i]),
            arm=arm,
            probability=probability,
            position=position,
        )
        for position, (items, i, arm, probability) in enumerate(picks[j] for j in order)
    ]
    return Batch(selections, draws + train_draws)


def _at_random(
    arm: Arm, frame: Frame, wanted: int, room: int, max_per_ad: int, rng: np.random.Generator
) -> tuple[Rows, Array, list[Draw]]:
    """Draws from the frame; returns at most `room` positions to ask about, in random order, the
    chances (m,) of the draw, and the draw itself, if any item had a chance."""
    ads = frame.items.ads()
    chances = draw_chances(frame.sizes, frame.before, ads, wanted, max_per_ad)
    hits = draw_positions(chances, ads, rng)
    drawn = frame.drawn.copy()
    drawn[hits] = True
    positions = _first(rng.permutation(np.flatnonzero(drawn & frame.free)), ads, max_per_ad)
    rows = frame.items.rows
    draws = [Draw.from_frame(arm, rows, chances, rows[hits])] if chances.any() else []
    return rng.permutation(positions)[:room], chances, draws


def _by_strategy(
    acquire: Acquire,
    train: Frame,
    taken: Rows,
    n: int,
    max_per_ad: int,
    rng: np.random.Generator,
) -> Rows:
    """Lets the strategy choose n free positions that are not in `taken`, so that no ad has more
    than `max_per_ad` positions in both together.

    A strategy returns a set, not a ranking, so it is called again: for each ad with too many items,
    to choose which of them stay; and then to fill the free places from ads that are not full. For a
    strategy that ranks, this equals going down the ranking and skipping full ads. In the last
    attempt no ad offers more items than it may have, which is certain to fill the batch.
    """
    rows, ads = train.items.rows, train.items.ads()
    allowed = max_per_ad - np.bincount(ads[taken], minlength=int(ads.max(initial=-1)) + 1)
    free = np.setdiff1d(np.flatnonzero(train.free), taken)
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
