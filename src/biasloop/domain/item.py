"""Ads and the items cut from them."""

import unicodedata
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import blake2b

from biasloop.domain.split import Split

VERSION = "version:"
"""An operation that begins so is a version that the seed's author wrote."""


class Origin(StrEnum):
    """Where an item's text comes from."""

    REAL = "real"
    """A sentence (or text) of an imported ad."""
    SEED = "seed"
    """Written for the campaign."""
    SYNTHETIC = "synthetic"
    """Made by an expander."""
    GOLD = "gold"
    """Written, with a known answer, to see how people judge it."""


@dataclass(frozen=True, slots=True)
class Ad:
    """One job advertisement, as it came."""

    id: str
    text: str
    title: str = ""
    language: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """The unit that is labelled.

    `start` and `end` are character offsets into the ad's text. `roots` are the ads (or seed
    families) it descends from: one for real items, possibly several for synthetic ones.
    `group` names the sector or the like of a seed, for cross-validation by it; "" if unknown.
    """

    id: str
    text: str
    text_hash: str
    roots: tuple[str, ...]
    split: Split
    origin: Origin
    ad_id: str = ""
    start: int = 0
    end: int = 0
    parents: tuple[str, ...] = field(default=())
    operation: str = ""
    group: str = ""


def item_id(root: str, start: int, end: int, text: str) -> str:
    """Id of an item: 20 hex digits over (root, start, end, text)."""
    key = f"{root}\x1f{start}\x1f{end}\x1f{text}"
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=10).hexdigest()


def text_hash(text: str) -> str:
    """20 hex digits over the text, blind to case, spacing and Unicode form."""
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return blake2b(plain.encode("utf-8", "surrogatepass"), digest_size=10).hexdigest()


def real_item(ad: Ad, start: int, end: int, split: Split, group: str = "") -> Item:
    """The item that `ad.text[start:end]` is."""
    text = ad.text[start:end]
    return Item(
        id=item_id(ad.id, start, end, text),
        text=text,
        text_hash=text_hash(text),
        roots=(ad.id,),
        split=split,
        origin=Origin.REAL,
        ad_id=ad.id,
        start=start,
        end=end,
        group=group,
    )


def gold_item(ad: Ad, start: int, end: int, group: str = "") -> Item:
    """The gold item that `ad.text[start:end]` is. On the audit side, where nothing trains; and not
    real, so that no audit figure counts it."""
    return replace(real_item(ad, start, end, Split.AUDIT, group), origin=Origin.GOLD)


def seed_item(root: str, text: str, group: str = "") -> Item:
    """A seed sentence. Always train: audit reports on real items only, see docs."""
    return Item(
        id=item_id(root, 0, len(text), text),
        text=text,
        text_hash=text_hash(text),
        roots=(root,),
        split=Split.TRAIN,
        origin=Origin.SEED,
        end=len(text),
        group=group,
    )


def synthetic_item(
    parents: tuple[Item, ...], text: str, operation: str, group: str | None = None
) -> Item:
    """An item made from `parents` (never empty); its roots are all of theirs, its group the first
    one's unless told otherwise.

    Raises ValueError when a parent is not a train item: nothing synthetic descends from audit.
    """
    if any(parent.split is not Split.TRAIN for parent in parents):
        raise ValueError("a synthetic item must descend from train items only")
    roots = tuple(sorted({root for parent in parents for root in parent.roots}))
    return Item(
        id=item_id("\x1e".join(roots), 0, len(text), text),
        text=text,
        text_hash=text_hash(text),
        roots=roots,
        split=Split.TRAIN,
        origin=Origin.SYNTHETIC,
        end=len(text),
        parents=tuple(parent.id for parent in parents),
        operation=operation,
        group=parents[0].group if group is None else group,
    )
