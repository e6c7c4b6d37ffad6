"""What goes into a batch: arms, quotas, order. Pure and seeded."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


class Arm(StrEnum):
    """Why an item is in a batch. Annotators never see it."""

    ACQUISITION = "acquisition"
    AUDIT = "audit"
    RANDOM_TRAIN = "random_train"


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


@dataclass(frozen=True, slots=True)
class Candidates:
    """Unlabelled items, aligned: pool rows, ids and text hashes, all of shape (n,)."""

    rows: Rows
    ids: NDArray[np.str_]
    hashes: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.rows)

    def distinct(self, taken: NDArray[np.str_] | None = None) -> "Candidates":
        """One item per text_hash (the first), without those whose hash is in `taken`."""
        _, first = np.unique(self.hashes, return_index=True)
        keep = np.sort(first)
        if taken is not None:
            keep = keep[~np.isin(self.hashes[keep], taken)]
        return Candidates(self.rows[keep], self.ids[keep], self.hashes[keep])


def quota(
    batch_size: int,
    *,
    audit_done: int,
    audit_block: int,
    audit_share: float,
    random_share: float,
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
    return Quota(batch_size - audit - random_train, audit, random_train)


def compose(
    train: Candidates,
    audit: Candidates,
    wanted: Quota,
    acquire: Callable[[Rows, int], Rows] | None,
    rng: np.random.Generator,
) -> list[Selection]:
    """The batch, in the order in which people see it.

    Candidates are sorted by row and distinct in text hash (`Candidates.distinct`).
    `acquire(rows, n)` returns n of the pool rows by strategy; None (no model yet) draws them at
    random, and then they carry their inclusion probability. What another arm cannot fill,
    acquisition takes over; a short pool gives a short batch.
    """
    n_audit = min(wanted.audit, len(audit))
    audited = _draw(rng, len(audit), n_audit)
    train = train.distinct(audit.hashes[audited])  # one item per text in a batch
    n_random = min(wanted.random_train, len(train))
    total = wanted.acquisition + wanted.audit + wanted.random_train
    n_acquire = min(total - n_audit - n_random, len(train) - n_random)

    drawn: list[tuple[int, Candidates, Arm, float | None]] = [
        (int(i), audit, Arm.AUDIT, n_audit / len(audit)) for i in audited
    ]
    random_train = _draw(rng, len(train), n_random)
    drawn += [(int(i), train, Arm.RANDOM_TRAIN, n_random / len(train)) for i in random_train]

    rest = np.setdiff1d(np.arange(len(train)), random_train)
    if acquire is None:
        acquired = rest[_draw(rng, len(rest), n_acquire)]
        chance = n_acquire / len(train) if len(train) else None
    else:
        rows = acquire(train.rows[rest], n_acquire) if n_acquire else np.empty(0, np.int64)
        acquired = rest[np.searchsorted(train.rows[rest], rows)]
        chance = None
    drawn += [(int(i), train, Arm.ACQUISITION, chance) for i in acquired]

    order = rng.permutation(len(drawn))
    return [
        Selection(
            item_id=str(pool.ids[i]),
            row=int(pool.rows[i]),
            arm=arm,
            probability=probability,
            position=position,
        )
        for position, (i, pool, arm, probability) in enumerate(drawn[j] for j in order)
    ]


def _draw(rng: np.random.Generator, n: int, size: int) -> Rows:
    return np.sort(rng.choice(n, size=size, replace=False)).astype(np.int64)
