"""The table of votes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import pyarrow as pa

from biasloop.domain.annotation import WHY, Annotation, Standing
from biasloop.domain.item import Item
from biasloop.domain.label import LabelSource
from biasloop.plugins.exporters.tables import schema_of
from biasloop.reports.export.columns import VOTES, kinds
from biasloop.reports.export.marks import read_marks
from biasloop.reports.export.masking import Masker
from biasloop.reports.export.rows import Row, json_text, to_batch
from biasloop.service.service import Service

ADJUDICATOR = "adjudicator"
"""What exports call the person who adjudicated in an export; the ledger has the name."""

VOTES_AT_A_TIME = 5_000


def vote_batches(
    service: Service,
    names: Mapping[str, str],
    is_wanted: Callable[[list[str]], Any] | None,
    masker: Masker | None,
) -> Iterator[pa.RecordBatch]:
    """One row per current annotation, no matter who made it. People appear under their `names`;
    what was set aside or skipped is there, with its standing.
    `is_wanted` says of item ids whether votes on them belong in the table (None: all do).

    `reason` and `extra` may quote the ad: they are empty where it was taken down.
    """
    schema = schema_of(kinds(VOTES))
    stream = (a for a in service.ledger.stream_annotations() if a.standing is not Standing.DELETED)
    while chunk := list(islice(stream, VOTES_AT_A_TIME)):
        if is_wanted is not None:
            wanted = is_wanted([a.item_id for a in chunk])
            chunk = [a for a, yes in zip(chunk, wanted, strict=True) if yes]
        items = _items(service, {a.item_id for a in chunk if a.extra})
        rows = [_row(service, a, items.get(a.item_id), names, masker) for a in chunk]
        yield to_batch("votes", "annotation", rows, schema)


def _row(
    service: Service,
    annotation: Annotation,
    item: Item | None,
    names: Mapping[str, str],
    masker: Masker | None,
) -> Row:
    text = item.text if item else ""
    decided = annotation.source is LabelSource.ADJUDICATED
    author = names.get(annotation.annotator, annotation.annotator)
    marks = read_marks(annotation, service.campaign.controls, text)
    reason = annotation.reason or (annotation.extra.get(WHY) if text else None)
    rewrite, extra = "\n".join(marks.rewrite), dict(annotation.extra) if text else {}
    if masker is not None:
        reason, rewrite, extra = masker.mask_mark([reason, rewrite, extra], item)
    return {
        "annotation": annotation.key,
        "item_id": annotation.item_id,
        "annotator": ADJUDICATOR if decided else author,
        "label_source": str(annotation.source),
        "standing": str(annotation.standing),
        "reason": reason,
        "labels": list(annotation.labels),
        "asked": list(annotation.asked),
        "policy": annotation.policy_id,
        "at": annotation.at,
        "seconds": annotation.seconds,
        "spans": json_text(marks.spans),
        "rewrite": rewrite or None,
        "unsure": marks.unsure,
        "extra": json_text(extra),
    }


def _items(service: Service, item_ids: set[str]) -> dict[str, Item]:
    """Items by id, those of the pool."""
    rows = service.pool.rows_of(sorted(item_ids))
    return {item.id: item for item in service.pool.items(rows[rows >= 0])}


def item_texts(service: Service, item_ids: set[str]) -> dict[str, str]:
    """Texts by item id; empty for items that were taken down."""
    known = sorted(item_ids)
    rows = service.pool.rows_of(known)
    here: Sequence[tuple[str, int]] = [
        (item_id, int(row)) for item_id, row in zip(known, rows, strict=True) if row >= 0
    ]
    texts = service.pool.texts([row for _, row in here])
    return {item_id: text for (item_id, _), text in zip(here, texts, strict=True)}
