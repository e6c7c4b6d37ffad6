"""The annotators: how far they agree, how reliable they are, what they did: for `biasloop
annotators`, its --json, and the page."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from math import inf
from typing import Any

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import LabelSource, Scheme
from biasloop.domain.measure.resample import Interval
from biasloop.domain.votes.agreement import (
    GoldResult,
    annotator_competence,
    measure_agreement,
    score_on_gold,
    span_overlap,
    votes_by_pair,
)
from biasloop.domain.votes.pace import longest_counted_time, measure_pace
from biasloop.labelstudio.tasks import marked
from biasloop.service.service import Service
from biasloop.workspace.positions import Dimension, Positions, by_group


@dataclass(frozen=True, slots=True)
class PersonReport:
    """What one annotator did. Durations are seconds but for `hours`; None: not measurable."""

    annotator: str
    votes: int
    skips: int
    aside: Mapping[str, int]
    competence: float | None
    gold: GoldResult | None
    seconds_per_item: float | None
    hours: float
    last_at: datetime


@dataclass(frozen=True, slots=True)
class AgreementReport:
    """Alpha over `items` with several votes: of whole label sets, and per label."""

    items: int
    sets: Interval | None
    labels: Mapping[str, Interval | None]


@dataclass(frozen=True, slots=True)
class RoundAgreement:
    """The same within a round, with the number of its votes."""

    round: int
    votes: int
    items: int
    sets: Interval | None
    labels: Mapping[str, Interval | None]


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """The same between two people."""

    people: tuple[str, str]
    items: int
    sets: Interval | None
    labels: Mapping[str, Interval | None]


@dataclass(frozen=True, slots=True)
class AnnotatorsReport:
    """Who labelled, and how; pairs who agree least come first. Times are aware UTC datetimes;
    `spans` is how far marked words overlap."""

    people: Sequence[PersonReport]
    agreement: AgreementReport
    spans: Interval | None
    rounds: Sequence[RoundAgreement]
    pairs: Sequence[PairAgreement]
    positions: Sequence[Dimension]
    hours: float


def report(service: Service) -> AnnotatorsReport:
    """What the annotators did so far."""
    everything = service.ledger.annotations()
    gold = known_answers(everything)
    all_answers = answers(everything)
    scheme, seed = service.campaign.scheme, service.settings.seed
    votes = [a for a in all_answers if a.standing is Standing.VOTE]
    roots, texts = _items(service, votes)
    votes = [vote for vote in votes if vote.item_id in roots]
    gold_results = score_on_gold(votes, gold)
    votes = [vote for vote in votes if vote.item_id not in gold]
    most, timed = longest_counted_time(all_answers), measure_pace(all_answers)
    reliable = annotator_competence(votes, scheme)
    by_person = groupby(sorted(all_answers, key=_annotator), key=_annotator)
    whole = measure_agreement(votes, roots, scheme, seed)
    marks = _marked(votes, roots, texts, service.campaign.controls.text)
    return AnnotatorsReport(
        people=[
            _person(name, list(theirs), reliable.get(name), gold_results.get(name), most)
            for name, theirs in by_person
        ],
        agreement=AgreementReport(whole.items, whole.sets, whole.labels),
        spans=span_overlap(marks, seed),
        rounds=_rounds(service, votes, roots, scheme, seed),
        pairs=_pairs(votes, roots, scheme, seed),
        positions=by_group(
            Positions(service.layout.positions).all(),
            votes,
            {c.item_id: c.labels for c in service.ledger.consensus()},
            roots,
            scheme,
            seed,
        ),
        hours=timed.total / 3600 if timed else 0.0,
    )


def _annotator(annotation: Annotation) -> str:
    return annotation.annotator


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
    theirs: Sequence[Annotation],
    reliable: float | None,
    gold: GoldResult | None,
    most: float,
) -> PersonReport:
    timed = measure_pace(theirs, most)
    standings = Counter(a.standing for a in theirs)
    return PersonReport(
        annotator=name,
        votes=standings[Standing.VOTE],
        skips=standings[Standing.SKIP],
        aside=dict(Counter(a.reason for a in theirs if a.standing is Standing.ASIDE)),
        competence=reliable,
        gold=gold,
        seconds_per_item=timed.per_item if timed else None,
        hours=timed.total / 3600 if timed else 0.0,
        last_at=max(a.at for a in theirs),
    )


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


def _pairs(
    votes: Sequence[Annotation], roots: Mapping[str, str], scheme: Scheme, seed: int
) -> list[PairAgreement]:
    reports = []
    for people, shared in sorted(votes_by_pair(votes).items()):
        between = measure_agreement(shared, roots, scheme, seed)
        reports.append(PairAgreement(people, between.items, between.sets, between.labels))
    return sorted(reports, key=lambda pair: pair.sets.value if pair.sets else inf)


def _rounds(
    service: Service,
    votes: Sequence[Annotation],
    roots: Mapping[str, str],
    scheme: Scheme,
    seed: int,
) -> list[RoundAgreement]:
    of_item = {s.item_id: round_id for round_id, s in service.ledger.live_selections()}
    by_round: dict[int, list[Annotation]] = {}
    for vote in votes:
        if vote.item_id in of_item:
            by_round.setdefault(of_item[vote.item_id], []).append(vote)
    reports = []
    for number, theirs in sorted(by_round.items()):
        within = measure_agreement(theirs, roots, scheme, seed)
        reports.append(
            RoundAgreement(number, len(theirs), within.items, within.sets, within.labels)
        )
    return reports
