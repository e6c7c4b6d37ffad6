"""Splits roots into train and audit; the split of a root never changes."""

from collections.abc import Sequence
from enum import StrEnum
from hashlib import blake2b

AUDIT_SHARE = 0.2


class Split(StrEnum):
    """Audit items are only for reports; every choice is made on train items."""

    TRAIN = "train"
    AUDIT = "audit"


def split_of(root: str, campaign_seed: int, audit_share: float = AUDIT_SHARE) -> Split:
    """The split of a root. It comes from a hash, so later imports never change it."""
    digest = blake2b(f"{campaign_seed}\x1f{root}".encode(), digest_size=8).digest()
    position = int.from_bytes(digest, "big") / 2**64
    return Split.AUDIT if position < audit_share else Split.TRAIN


def cohort_of(root: str, cohorts: int) -> int:
    """The number of a root's cohort, 0 to `cohorts` - 1, by hash.

    All examples of a prompt come from one cohort. So an item with several roots never connects
    more roots than one cohort holds, and folds that keep connected roots together stay possible.
    """
    digest = blake2b(f"cohort\x1f{root}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % cohorts


def group_roots(roots: Sequence[Sequence[str]]) -> list[str]:
    """Groups roots so that all roots of an item are in one group; returns each item's group.

    `roots` holds the roots of each item, at least one. A group goes by the name of its first root
    in alphabetical order. Folds that keep groups together never split a root of any item.
    """
    leader: dict[str, str] = {}  # union-find

    def find(root: str) -> str:
        while leader.setdefault(root, root) != root:
            leader[root] = leader[leader[root]]  # path halving
            root = leader[root]
        return root

    for first, *others in roots:
        for other in others:
            one, two = sorted((find(first), find(other)))
            leader[two] = one
    return [find(first) for first, *_ in roots]
