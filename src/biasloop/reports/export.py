"""The tables of an export: items, votes, ads. Rows are plain values, for any exporter."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from biasloop.domain.annotation import Annotation, Standing, label_studio_id
from biasloop.domain.item import Item
from biasloop.domain.votes.consensus import resolve_item_labels
from biasloop.labelstudio.label_config import LabelConfig
from biasloop.labelstudio.tasks import marked, rewrites
from biasloop.service.service import Service

Row = dict[str, Any]
Classify = Callable[[Sequence[str]], list[Row]]
"""The model's verdicts on these texts, one row of extra columns each."""

BATCH_SIZE = 5_000
"""Items written at a time."""

ITEMS = {
    "item_id": str,
    "text": str,
    "ad_id": str,
    "start": int,
    "end": int,
    "origin": str,
    "split": str,
    "roots": list,
    "parents": list,
    "operation": str,
    "group": str,
    "labels": list,
    "asked": list,
    "label_source": str,
    "arm": str,
    "inclusion_probability": float,
    "round": int,
    "policies": list,
}
VOTES = {
    "annotation": str,
    "item_id": str,
    "annotator": str,
    "label_source": str,
    "standing": str,
    "reason": str,
    "labels": list,
    "asked": list,
    "policy": str,
    "at": datetime,
    "seconds": float,
    "spans": dict,
    "rewrite": str,
    "extra": dict,
}
ADS = {"ad_id": str, "title": str, "text": str, "language": str, "source": str}


def item_rows(
    service: Service, classify: Classify | None, progress: Callable[[int], None]
) -> Iterator[Row]:
    """One row per item: all that have a label, or the whole pool with the verdicts of `classify`.

    `labels` are people's consensus where there is one, else those of the seed or counterfactual;
    `label_source` says which. `arm` and `inclusion_probability` say how a real item came to be
    asked about (no probability: a strategy chose it). Texts that were taken down
    are left out. `progress` gets the number of items done.
    """
    annotations = service.ledger.annotations()
    known = resolve_item_labels(
        annotations, service.campaign.scheme, service.settings.votes.consensus
    )
    chosen = {s.item_id: (round_id, s) for round_id, s in service.ledger.live_selections()}
    policies: dict[str, set[str]] = {}
    for vote in annotations:
        if vote.standing is Standing.VOTE:
            policies.setdefault(vote.item_id, set()).add(vote.policy_id)
    pool = service.pool
    ids, erased = pool.column("id"), pool.column("erased")
    rows = [i for i in range(len(ids)) if not erased[i] and (classify or ids[i] in known)]
    for begin in range(0, len(rows), BATCH_SIZE):
        items = pool.items(rows[begin : begin + BATCH_SIZE])
        extra = classify([item.text for item in items]) if classify else [{} for _ in items]
        for item, more in zip(items, extra, strict=True):
            item_label = known.get(item.id)
            round_id, selection = chosen.get(item.id, (None, None))
            yield _item(item) | {
                "labels": list(item_label.labels) if item_label else None,
                "asked": list(item_label.asked) if item_label else None,
                "label_source": str(item_label.source) if item_label else None,
                "arm": str(selection.arm) if selection else None,
                "inclusion_probability": selection.probability if selection else None,
                "round": round_id,
                "policies": sorted(policies.get(item.id, ())),
                **more,
            }
        progress(min(begin + BATCH_SIZE, len(rows)))


def vote_rows(service: Service) -> Iterator[Row]:
    """One row per current annotation, no matter who made it. People appear as A1, A2, …, the same
    in every export; what was set aside or skipped is there, with its standing.

    `spans` (per label the characters [start, end) of its spans, aligned to whole words) and
    `rewrite` are read from `extra`, which holds what people drew and wrote, verbatim.
    """
    annotations = service.ledger.annotations()
    texts = _texts(service, {a.item_id for a in annotations if a.extra})
    names = _pseudonyms(annotations)
    for annotation in annotations:
        if annotation.standing is Standing.DELETED:
            continue
        yield {
            "annotation": annotation.key,
            "item_id": annotation.item_id,
            "annotator": names.get(annotation.annotator, annotation.annotator),
            "label_source": str(annotation.source),
            "standing": str(annotation.standing),
            "reason": annotation.reason or None,
            "labels": list(annotation.labels),
            "asked": list(annotation.asked),
            "policy": annotation.policy_id,
            "at": annotation.at,
            "seconds": annotation.seconds,
            **_marks(annotation, service.campaign.controls, texts.get(annotation.item_id, "")),
        }


def ad_rows(service: Service) -> Iterator[Row]:
    """One row per ad that is still there."""
    for ad in service.pool.all_ads():
        yield {
            "ad_id": ad.id,
            "title": ad.title,
            "text": ad.text,
            "language": ad.language,
            "source": ad.source,
        }


def _item(item: Item) -> Row:
    return {
        "item_id": item.id,
        "text": item.text,
        "ad_id": item.ad_id or None,
        "start": item.start,
        "end": item.end,
        "origin": str(item.origin),
        "split": str(item.split),
        "roots": list(item.roots),
        "parents": list(item.parents),
        "operation": item.operation or None,
        "group": item.group or None,
    }


def _pseudonyms(annotations: Sequence[Annotation]) -> dict[str, str]:
    """A name for everyone who labelled in Label Studio, in the order of their first annotation
    there, deleted ones included, so that names never change."""
    there = sorted(
        (label_studio_id(a.key), a.annotator) for a in annotations if a.task_id is not None
    )
    people = dict.fromkeys(annotator for _, annotator in there)
    return {annotator: f"A{number}" for number, annotator in enumerate(people, 1)}


def _texts(service: Service, item_ids: set[str]) -> dict[str, str]:
    """Texts by item id; empty for items that were taken down."""
    known = sorted(item_ids)
    rows = service.pool.rows_of(known)
    here = [(item_id, row) for item_id, row in zip(known, rows, strict=True) if row >= 0]
    texts = service.pool.texts([row for _, row in here])
    return {item_id: text for (item_id, _), text in zip(here, texts, strict=True)}


def _marks(annotation: Annotation, controls: LabelConfig, text: str) -> Row:
    if not text:  # spans and rewrites repeat words of the ad
        return {"spans": {}, "rewrite": None, "extra": {}}
    result = annotation.extra.get("result", ())
    places: dict[str, list[list[int]]] = {}
    for span in marked(result, controls, text):
        places.setdefault(span.label, []).append([span.start, span.end])
    written = rewrites(result, controls)
    return {
        "spans": places,
        "rewrite": "\n".join(written) or None,
        "extra": dict(annotation.extra),
    }
