"""Ads, and the items that are made from them."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import blake2b

from biasloop.domain.columns import AdColumns
from biasloop.domain.split import Split
from biasloop.domain.text import in_compatibility_form, normalise

VERSION = "version:"
"""Prefix of the operation of an item that is a version written by the author of its seed."""


class Origin(StrEnum):
    """Where an item's text comes from."""

    REAL = "real"
    """A sentence (or text) of an imported ad."""
    SEED = "seed"
    """Written for the campaign."""
    SYNTHETIC = "synthetic"
    """Made by an expander."""
    GOLD = "gold"
    """Text with a known answer, to measure how reliable annotators are."""


@dataclass(frozen=True, slots=True)
class Ad:
    """A job advertisement as it was imported. `columns` are those that are no fields of an ad."""

    id: str
    text: str
    title: str = ""
    language: str = ""
    source: str = ""
    columns: AdColumns = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Item:
    """The unit that annotators label.

    `start` and `end` are character offsets into the ad's text. `roots` are the ads (or seed
    families) it descends from: one for real items, possibly several for synthetic ones.
    `group` is for cross-validation by group, e.g. the sector of a seed; "" if unknown.
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
    """The id of an item: a hash of its arguments, 20 hex digits."""
    key = f"{root}\x1f{start}\x1f{end}\x1f{text}"
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=10).hexdigest()


def text_hash(text: str) -> str:
    """A hash of the text, 20 hex digits, that ignores case, white space, Unicode form and what
    `normalise` removes."""
    # In this order the hashes of plain texts are those of earlier versions, which pools hold.
    normal = normalise(in_compatibility_form(text)).text
    plain = " ".join(normal.casefold().split())
    return blake2b(plain.encode("utf-8", "surrogatepass"), digest_size=10).hexdigest()


def real_item(ad: Ad, start: int, end: int, split: Split, group: str = "") -> Item:
    """Makes `ad.text[start:end]` an item."""
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
    """Makes `ad.text[start:end]` a gold item.

    Its split is audit, so that nothing trains on it; its origin is not real, so that no audit
    figure counts it.
    """
    return replace(real_item(ad, start, end, Split.AUDIT, group), origin=Origin.GOLD)


def seed_item(root: str, text: str, group: str = "") -> Item:
    """Makes a seed sentence an item. Its split is always train: audits use real items only."""
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
    """Makes an item that descends from `parents` (at least one).

    It has all roots of its parents, and the group of the first unless `group` is given. Raises
    ValueError if a parent is not a train item: nothing synthetic may descend from audit items.
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
