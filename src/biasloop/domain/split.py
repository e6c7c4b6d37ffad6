"""Train or audit: decided once, from the root, for ever."""

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
