"""The annotators: how far they agree, how reliable they are, what they did, as plain data: for
`biasloop annotators`, its --json, and the page."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import groupby
from math import inf
from typing import Any

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import LabelSource, Scheme
from biasloop.domain.measure.resample import Interval
from biasloop.domain.votes.agreement import (
    Agreement,
    GoldResult,
    agreement,
    competence,
    on_gold,
    pairs,
    span_overlap,
)
from biasloop.domain.votes.pace import longest, pace
from biasloop.labelstudio.tasks import marked
from biasloop.service.service import Service
from biasloop.workspace.positions import Positions, by_group


def report(service: Service) -> dict[str, Any]:
    """Who labelled, and how; pairs who agree least come first. Times are aware UTC datetimes,
    durations seconds."""
    everything = service.ledger.annotations()
    gold = known_answers(everything)
    said = answers(everything)
    scheme, seed = service.campaign.scheme, service.settings.seed
    votes = [a for a in said if a.standing is Standing.VOTE]
    roots, texts = _items(service, votes)
    votes = [vote for vote in votes if vote.item_id in roots]
    judged = on_gold(votes, gold)
    votes = [vote for vote in votes if vote.item_id not in gold]
    most, timed = longest(said), pace(said)
    reliable = competence(votes, scheme)
    by_person = groupby(sorted(said, key=lambda a: a.annotator), key=lambda a: a.annotator)
    whole = agreement(votes, roots, scheme, seed)
    return {
        "people": [
            _person(name, list(mine), reliable.get(name), judged.get(name), most)
            for name, mine in by_person
        ],
        "agreement": _told(whole),
        "spans": _interval(
            span_overlap(_marked(votes, roots, texts, service.campaign.controls.text), seed)
        ),
        "rounds": _rounds(service, votes, roots, scheme, seed),
        "pairs": sorted(
            (
                {"people": names, **_told(agreement(shared, roots, scheme, seed))}
                for names, shared in sorted(pairs(votes).items())
            ),
            key=lambda pair: pair["sets"]["value"] if pair["sets"] else inf,
        ),
        "positions": by_group(
            Positions(service.layout.positions).all(),
            votes,
            {c.item_id: c.labels for c in service.ledger.consensus()},
            roots,
            scheme,
            seed,
        ),
        "hours": timed.total / 3600 if timed else 0.0,
    }


def answers(annotations: Iterable[Annotation]) -> list[Annotation]:
    """What people said in Label Studio and did not delete."""
    return [
        a
        for a in annotations
        if a.source is LabelSource.HUMAN
        and a.task_id is not None
        and a.standing is not Standing.DELETED
    ]


def known_answers(annotations: Iterable[Annotation]) -> dict[str, tuple[str, ...]]:
    """The known labels of every gold item, by its id."""
    return {a.item_id: a.labels for a in annotations if a.source is LabelSource.GOLD}


def _person(
    name: str,
    said: Sequence[Annotation],
    reliable: float | None,
    judged: GoldResult | None,
    most: float,
) -> dict[str, Any]:
    timed = pace(said, most)
    standings = Counter(a.standing for a in said)
    return {
        "annotator": name,
        "votes": standings[Standing.VOTE],
        "skips": standings[Standing.SKIP],
        "aside": dict(Counter(a.reason for a in said if a.standing is Standing.ASIDE)),
        "competence": reliable,
        "gold": asdict(judged) if judged else None,
        "seconds_per_item": timed.per_item if timed else None,
        "hours": timed.total / 3600 if timed else 0.0,
        "last_at": _last(said),
    }


def _last(said: Sequence[Annotation]) -> datetime:
    return max(a.at for a in said)


def _items(service: Service, votes: Sequence[Annotation]) -> tuple[dict[str, str], dict[str, str]]:
    """Root and text of every item voted on that is still there."""
    known = sorted({vote.item_id for vote in votes})
    rows = service.pool.rows_of(known)
    items = service.pool.items(rows[rows >= 0])
    return {i.id: i.roots[0] for i in items}, {i.id: i.text for i in items}


def _marked(
    votes: Sequence[Annotation], roots: Mapping[str, str], texts: Mapping[str, str], name: str
) -> list[tuple[str, list[list[Any]]]]:
    by_item: dict[str, list[list[Any]]] = {}
    for vote in votes:
        spans = marked(vote.extra.get("result", ()), name, texts[vote.item_id])
        by_item.setdefault(vote.item_id, []).append(spans)
    return [(roots[item_id], spans) for item_id, spans in by_item.items()]


def _rounds(
    service: Service,
    votes: Sequence[Annotation],
    roots: Mapping[str, str],
    scheme: Scheme,
    seed: int,
) -> list[dict[str, Any]]:
    of_item = {s.item_id: round_id for round_id, s in service.ledger.live_selections()}
    by_round: dict[int, list[Annotation]] = {}
    for vote in votes:
        if vote.item_id in of_item:
            by_round.setdefault(of_item[vote.item_id], []).append(vote)
    return [
        {"round": number, "votes": len(by_round[number])}
        | _told(agreement(by_round[number], roots, scheme, seed))
        for number in sorted(by_round)
    ]


def _told(found: Agreement) -> dict[str, Any]:
    return {
        "items": found.items,
        "sets": _interval(found.sets),
        "labels": {label: _interval(value) for label, value in found.labels.items()},
    }


def _interval(found: Interval | None) -> dict[str, float] | None:
    return asdict(found) if found else None
