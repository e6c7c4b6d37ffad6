"""Reads the items of an export back as what they were: seeds as seeds, synthetic as synthetic."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from biasloop.domain.cells import split_labels
from biasloop.domain.item import Ad, Item, Origin, item_id, text_hash
from biasloop.domain.label import MACHINE, LabelSource
from biasloop.domain.split import Split, split_of
from biasloop.intake.record import ITEMS_TABLE, BadRow
from biasloop.intake.values import as_text, is_missing

SEED_ROOT = "seed:"
"""How the roots of seeds begin; other roots are ids of ads."""


@dataclass(frozen=True, slots=True)
class ExportedItem:
    """A row of an export's table of items. `label_source` is None if the row has no label,
    or one that a model gave."""

    id: str
    text: str
    ad_id: str
    start: int
    end: int
    origin: Origin
    roots: tuple[str, ...]
    parents: tuple[str, ...]
    operation: str
    group: str
    asked: tuple[str, ...]
    label_source: LabelSource | None


def is_exported_item(record: Mapping[str, Any]) -> bool:
    """Whether a record is a row of an export's table of items."""
    return record.keys() >= ITEMS_TABLE


def exported_item(record: Mapping[str, Any]) -> ExportedItem:
    """Reads a row of an export's table of items. Raises BadRow if its text, place or roots were
    changed, so that they no longer belong to its id."""
    source = _text(record, "label_source")
    try:
        item = ExportedItem(
            id=_text(record, "item_id"),
            text=_text(record, "text"),
            ad_id=_text(record, "ad_id"),
            start=int(_text(record, "start") or 0),
            end=int(_text(record, "end") or 0),
            origin=Origin(_text(record, "origin")),
            roots=_list(record, "roots"),
            parents=_list(record, "parents"),
            operation=_text(record, "operation"),
            group=_text(record, "group"),
            asked=_list(record, "asked"),
            label_source=LabelSource(source) if source not in ("", MACHINE) else None,
        )
    except ValueError as error:
        raise BadRow(f"this is no row as an export writes it: {error}") from None
    if item_id("\x1e".join(item.roots), item.start, item.end, item.text) != item.id:
        raise BadRow(
            f"text, place or roots of item {item.id!r} were changed; only what an export wrote "
            "can be read back, with --keep-personal where it has masks (to add an ad, leave out "
            "item_id, origin and label_source)"
        )
    return item


def restore_item(exported: ExportedItem, ad: Ad | None, campaign_seed: int) -> Item:
    """The item; a real one is in the split of this workspace. `ad` is the ad that it is part of.

    Raises BadRow if the ad says something else there, or if the item would carry text of an audit
    item into training.
    """
    if ad is not None and not ad.text:
        raise BadRow(f"ad {ad.id!r} was taken down and cannot be imported again")
    if ad is not None and ad.text[exported.start : exported.end] != exported.text:
        raise BadRow(
            f"ad {ad.id!r} has another text at this place; import the table of ads of the same "
            "export first"
        )
    return Item(
        id=exported.id,
        text=exported.text,
        text_hash=text_hash(exported.text),
        roots=exported.roots,
        split=_split(exported, campaign_seed),
        origin=exported.origin,
        ad_id=exported.ad_id,
        start=exported.start,
        end=exported.end,
        parents=exported.parents,
        operation=exported.operation,
        group=exported.group,
    )


def _split(exported: ExportedItem, campaign_seed: int) -> Split:
    if exported.origin is Origin.GOLD:
        return Split.AUDIT
    if exported.origin is Origin.REAL:
        return split_of(exported.ad_id, campaign_seed)
    ads = [root for root in exported.roots if not root.startswith(SEED_ROOT)]
    if any(split_of(ad_id, campaign_seed) is not Split.TRAIN for ad_id in ads):
        raise BadRow("the item descends from an ad that is in the audit split of this workspace")
    return Split.TRAIN


def _text(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    return "" if is_missing(value) else as_text(value, name)


def _list(record: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = record.get(name)
    if is_missing(value):
        return ()
    return tuple(split_labels(value) if isinstance(value, str) else map(str, value or ()))
