"""Train or audit: decided once, from the root, for ever."""

from collections.abc import Sequence
from enum import StrEnum
from hashlib import blake2b

AUDIT_SHARE = 0.2


class Split(StrEnum):
    """`audit` only reports; whatever is chosen is chosen on `train`."""

    TRAIN = "train"
    AUDIT = "audit"


def split_of(root: str, campaign_seed: int, audit_share: float = AUDIT_SHARE) -> Split:
    """The split of a root, by hash: the same for ever, whatever else is imported."""
    digest = blake2b(f"{campaign_seed}\x1f{root}".encode(), digest_size=8).digest()
    drawn = int.from_bytes(digest, "big") / 2**64
    return Split.AUDIT if drawn < audit_share else Split.TRAIN


def cohort_of(root: str, cohorts: int) -> int:
    """One of so many parts of all roots, by hash.

    The examples of a prompt come from one cohort. So items with several roots never join more
    roots than a cohort holds, and folds that cut none of them stay possible.
    """
    digest = blake2b(f"cohort\x1f{root}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % cohorts


def joined_roots(roots: Sequence[Sequence[str]]) -> list[str]:
    """For the roots of each item the name of the group that they are in, once every item has
    joined its roots into one: folds that keep groups whole never cut a root of any item."""
    leader: dict[str, str] = {}

    def find(root: str) -> str:
        while leader.setdefault(root, root) != root:
            leader[root] = leader[leader[root]]  # halves the way for the next one
            root = leader[root]
        return root

    for first, *others in roots:
        for other in others:
            one, two = sorted((find(first), find(other)))
            leader[two] = one
    return [find(first) for first, *_ in roots]
