"""A report on annotators: how well they agree, how reliable they are, what they did. For
`biasloop annotators`, its --json, and the page."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from math import inf
from typing import Any

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.batch import Arm
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
from biasloop.domain.votes.consensus import votes_of_today
from biasloop.domain.votes.pace import longest_counted_time, measure_pace
from biasloop.labelstudio.label_config import LabelConfig
from biasloop.labelstudio.tasks import marked
from biasloop.rounds.design import read_design
from biasloop.service.service import Service
from biasloop.workspace.positions import Dimension, Positions, by_group


@dataclass(frozen=True, slots=True)
class PersonReport:
    """What one annotator did. `aside`: answers set aside, by reason. None: not measurable."""

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
    """Who labelled, and how; pairs that agree least come first. Times are aware UTC datetimes;
    `pool` is agreement on audit items, weighted to be that of the pool, and `spans` the overlap of
    marked words (F1)."""

    people: Sequence[PersonReport]
    agreement: AgreementReport
    pool: AgreementReport
    spans: Interval | None
    rounds: Sequence[RoundAgreement]
    pairs: Sequence[PairAgreement]
    positions: Sequence[Dimension]
    hours: float


def report(service: Service) -> AnnotatorsReport:
    """The report on what annotators have done so far."""
    annotations = _by_address(service, service.ledger.annotations())
    gold = known_answers(annotations)
    all_answers = answers(annotations)
    scheme, seed = service.campaign.scheme, service.settings.seed
    votes = votes_of_today((a for a in all_answers if a.standing is Standing.VOTE), scheme)
    roots, texts = _items(service, votes)
    votes = [vote for vote in votes if vote.item_id in roots]
    gold_results = score_on_gold(votes, _known_today(gold, scheme))
    votes = [vote for vote in votes if vote.item_id not in gold]
    max_seconds, pace = longest_counted_time(all_answers), measure_pace(all_answers)
    competence = annotator_competence(votes, scheme)
    by_annotator = groupby(sorted(all_answers, key=_annotator), key=_annotator)
    agreement = measure_agreement(votes, roots, scheme, seed)
    marks = _marked(votes, roots, texts, service.campaign.controls)
    return AnnotatorsReport(
        people=[
            _person(name, list(own), competence.get(name), gold_results.get(name), max_seconds)
            for name, own in by_annotator
        ],
        agreement=AgreementReport(agreement.items, agreement.sets, agreement.labels),
        pool=_on_audit_items(service, votes, roots),
        spans=span_overlap(marks, seed),
        rounds=_rounds(service, votes, roots, scheme, seed),
        pairs=_pairs(votes, roots, scheme, seed),
        positions=by_group(
            Positions(service.layout.positions).all(),
            votes,
            {c.item_id: scheme.current_choices(c.labels) for c in service.ledger.consensus()},
            roots,
            scheme,
            seed,
        ),
        hours=pace.total / 3600 if pace else 0.0,
    )


def _on_audit_items(
    service: Service, votes: Sequence[Annotation], roots: Mapping[str, str]
) -> AgreementReport:
    """Agreement as in the pool: a strategy chose most other items because they are unusual."""
    item_ids = sorted(roots)
    design = read_design(service.ledger, service.pool, Arm.AUDIT)
    rows = service.pool.rows_of(item_ids)
    weights = {
        item_id: 1 / design.probability[row]
        for item_id, row in zip(item_ids, rows, strict=True)
        if design.sampled[row]
    }
    audited = [vote for vote in votes if vote.item_id in weights]
    agreement = measure_agreement(
        audited, roots, service.campaign.scheme, service.settings.seed, weights=weights
    )
    return AgreementReport(agreement.items, agreement.sets, agreement.labels)


def _by_address(service: Service, annotations: Iterable[Annotation]) -> list[Annotation]:
    """The annotations with the address of their annotator instead of the pseudonym, by which
    positions are stored, too."""
    address = {p.account: p.email for p in service.ledger.people.all() if p.email}
    return [replace(a, annotator=address.get(a.annotator, a.annotator)) for a in annotations]


def _annotator(annotation: Annotation) -> str:
    return annotation.annotator


def answers(annotations: Iterable[Annotation]) -> list[Annotation]:
    """What people answered in Label Studio and did not delete."""
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


def _known_today(gold: Mapping[str, tuple[str, ...]], scheme: Scheme) -> dict[str, tuple[str, ...]]:
    """The known answers that name a label of the scheme of today, by their present names."""
    return {
        item_id: scheme.current_choices(labels)
        for item_id, labels in gold.items()
        if not scheme.is_vote_for_nothing(labels)
    }


def _person(
    name: str,
    own_answers: Sequence[Annotation],
    competence: float | None,
    gold: GoldResult | None,
    max_seconds: float,
) -> PersonReport:
    pace = measure_pace(own_answers, max_seconds)
    standings = Counter(a.standing for a in own_answers)
    return PersonReport(
        annotator=name,
        votes=standings[Standing.VOTE],
        skips=standings[Standing.SKIP],
        aside=dict(Counter(a.reason for a in own_answers if a.standing is Standing.ASIDE)),
        competence=competence,
        gold=gold,
        seconds_per_item=pace.per_item if pace else None,
        hours=pace.total / 3600 if pace else 0.0,
        last_at=max(a.at for a in own_answers),
    )


def _items(service: Service, votes: Sequence[Annotation]) -> tuple[dict[str, str], dict[str, str]]:
    """Roots and texts by item id, of all items with votes that are still in the pool."""
    item_ids = sorted({vote.item_id for vote in votes})
    rows = service.pool.rows_of(item_ids)
    items = service.pool.items(rows[rows >= 0])
    return {i.id: i.roots[0] for i in items}, {i.id: i.text for i in items}


def _marked(
    votes: Sequence[Annotation],
    roots: Mapping[str, str],
    texts: Mapping[str, str],
    controls: LabelConfig,
) -> list[tuple[str, list[list[Any]]]]:
    by_item: dict[str, list[list[Any]]] = {}
    for vote in votes:
        spans = marked(vote.extra.get("result", ()), controls, texts[vote.item_id])
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
    round_of_item = {s.item_id: round_id for round_id, s in service.ledger.live_selections()}
    by_round: dict[int, list[Annotation]] = {}
    for vote in votes:
        if vote.item_id in round_of_item:
            by_round.setdefault(round_of_item[vote.item_id], []).append(vote)
    reports = []
    for number, round_votes in sorted(by_round.items()):
        within = measure_agreement(round_votes, roots, scheme, seed)
        reports.append(
            RoundAgreement(number, len(round_votes), within.items, within.sets, within.labels)
        )
    return reports
