"""The tables of an export: items, votes, ads. Rows are plain values, for any exporter."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.item import Item
from biasloop.domain.votes.consensus import resolve_item_labels
from biasloop.labelstudio.tasks import marked, rewrites
from biasloop.service.service import Service

Row = dict[str, Any]
Verdicts = Callable[[Sequence[str]], list[Row]]
"""The model's verdicts on these texts, one row of extra columns each."""

PIECE = 5_000
"""Items looked at together."""

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
    service: Service, verdicts: Verdicts | None, tell: Callable[[int], None]
) -> Iterator[Row]:
    """One row per item: all that have a label, or the whole pool when the model's verdict is asked.

    `labels` are people's consensus where there is one, else the seed's or the constructed ones;
    `label_source` says which. `arm` and `inclusion_probability` tell how a real item came to be
    asked about (no probability: a strategy chose it without chance). Texts that were taken down
    are left out. `tell` gets the number of items done.
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
    rows = [i for i in range(len(ids)) if not erased[i] and (verdicts or ids[i] in known)]
    for begin in range(0, len(rows), PIECE):
        items = pool.items(rows[begin : begin + PIECE])
        extra = verdicts([item.text for item in items]) if verdicts else [{} for _ in items]
        for item, more in zip(items, extra, strict=True):
            verdict = known.get(item.id)
            round_id, selection = chosen.get(item.id, (None, None))
            yield _item(item) | {
                "labels": list(verdict.labels) if verdict else None,
                "asked": list(verdict.asked) if verdict else None,
                "label_source": str(verdict.source) if verdict else None,
                "arm": str(selection.arm) if selection else None,
                "inclusion_probability": selection.probability if selection else None,
                "round": round_id,
                "policies": sorted(policies.get(item.id, ())),
                **more,
            }
        tell(min(begin + PIECE, len(rows)))


def vote_rows(service: Service) -> Iterator[Row]:
    """One row per current annotation, whoever made it. People appear as A1, A2, …, the same in
    every export; what was set aside or skipped is there, with its standing.

    `spans` (per label the characters [start, end) of its spans, aligned to whole words) and
    `rewrite` are read from `extra`, which holds what people drew and wrote, verbatim.
    """
    annotations = service.ledger.annotations()
    texts = _texts(service, {a.item_id for a in annotations if a.extra})
    names = _pseudonyms(annotations)
    for found in annotations:
        if found.standing is Standing.DELETED:
            continue
        yield {
            "annotation": found.key,
            "item_id": found.item_id,
            "annotator": names.get(found.annotator, found.annotator),
            "label_source": str(found.source),
            "standing": str(found.standing),
            "reason": found.reason or None,
            "labels": list(found.labels),
            "asked": list(found.asked),
            "policy": found.policy_id,
            "at": found.at,
            "seconds": found.seconds,
            **_marks(found, service.campaign.controls.text, texts.get(found.item_id, "")),
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
    """A name for everybody who labelled in Label Studio, in the order of their first annotation
    there, deleted ones included: what comes later renames nobody."""
    there = sorted(
        (int(a.key.removeprefix("ls:")), a.annotator) for a in annotations if a.task_id is not None
    )
    people = dict.fromkeys(annotator for _, annotator in there)
    return {annotator: f"A{number}" for number, annotator in enumerate(people, 1)}


def _texts(service: Service, item_ids: set[str]) -> dict[str, str]:
    """Texts by item id; what was taken down has an empty one."""
    known = sorted(item_ids)
    rows = service.pool.rows_of(known)
    here = [(item_id, row) for item_id, row in zip(known, rows, strict=True) if row >= 0]
    texts = service.pool.texts([row for _, row in here])
    return {item_id: text for (item_id, _), text in zip(here, texts, strict=True)}


def _marks(found: Annotation, text_name: str, text: str) -> Row:
    if not text:  # spans and rewrites repeat words of the ad
        return {"spans": {}, "rewrite": None, "extra": {}}
    result = found.extra.get("result", ())
    places: dict[str, list[list[int]]] = {}
    for span in marked(result, text_name, text):
        places.setdefault(span.label, []).append([span.start, span.end])
    written = rewrites(result)
    return {
        "spans": places,
        "rewrite": "\n".join(written) or None,
        "extra": dict(found.extra),
    }
