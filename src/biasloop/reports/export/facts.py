"""What the ledger knows about items, as a table aligned with rows of the pool."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.batch import Rows, Selection
from biasloop.domain.label import LabelSource
from biasloop.domain.votes.consensus import (
    Consensus,
    ConsensusMethod,
    ItemLabel,
    counted_votes,
    label_items,
    reach_consensus,
)
from biasloop.plugins.exporters.tables import schema_of
from biasloop.reports.export.columns import ITEMS, Dictionary, kinds, share_columns
from biasloop.reports.export.marks import merge_marks, read_marks
from biasloop.reports.export.rows import Row, json_text, to_batch
from biasloop.reports.export.votes import item_texts
from biasloop.rounds.design import inclusion_probabilities
from biasloop.service.service import Service

FROM_POOL = tuple(ITEMS)[: tuple(ITEMS).index("labels")]
"""Columns of items that are in the pool; the others are facts."""
ANNOTATORS = "annotators"
"""A column for filters, which no export has: who gave the votes that count."""
ITEMS_AT_A_TIME = 5_000


@dataclass(frozen=True, slots=True)
class Facts:
    """`rows` (n,) are the pool rows about which something is known, ascending; `table` has n rows
    and the columns of `fact_columns`."""

    rows: Rows
    table: pa.Table

    def of(self, start: int, stop: int) -> pa.Table:
        """The facts of the pool rows [start, stop), empty where nothing is known."""
        first, last = np.searchsorted(self.rows, [start, stop])
        positions = np.full(stop - start, -1)
        positions[self.rows[first:last] - start] = np.arange(first, last)
        return self.table.take(pa.array(positions, mask=positions < 0))


def fact_columns(labels: Iterable[str]) -> Dictionary:
    """The columns of facts, in the order of an export."""
    own = {name: column for name, column in ITEMS.items() if name not in FROM_POOL}
    return {**own, **share_columns(labels)}


def read_facts(service: Service) -> Facts:
    """Everything that is known about items. A few thousand items are in memory at a time as
    objects; with the consensus "dawid_skene", which weighs all votes against each other, all are.
    """
    columns = fact_columns(service.campaign.scheme.labels)
    schema = schema_of({**kinds(columns), ANNOTATORS: list})
    chosen = {s.item_id: (number, s) for number, s in service.ledger.live_selections()}
    probability = inclusion_probabilities(service.ledger, service.pool)
    pieces: list[pa.Table] = [schema.empty_table()]
    rows: list[Rows] = [np.empty(0, dtype=np.int64)]
    for group in _groups(service):
        labelled = _facts_of(service, group)
        known = [row | _choice(chosen.pop(item_id, None)) for item_id, row in labelled.items()]
        _add(service, list(labelled), known, probability, schema, pieces, rows)
    waiting = [_choice(pair) for pair in chosen.values()]
    _add(service, list(chosen), waiting, probability, schema, pieces, rows)
    all_rows = np.concatenate(rows)
    order = np.argsort(all_rows)
    return Facts(all_rows[order], pa.concat_tables(pieces).combine_chunks().take(pa.array(order)))


def _add(
    service: Service,
    item_ids: Sequence[str],
    facts: Sequence[Row],
    probability: NDArray[np.float64],
    schema: pa.Schema,
    pieces: list[pa.Table],
    rows: list[Rows],
) -> None:
    """Adds the facts of the items that are in the pool; `probability` has one value for each of its
    rows, NaN for none."""
    here = service.pool.rows_of(item_ids)
    rows.append(here[here >= 0])
    known = [
        fact
        | {
            "item_id": item_id,
            "inclusion_probability": None if np.isnan(probability[row]) else probability[row],
        }
        for item_id, fact, row in zip(item_ids, facts, here, strict=True)
        if row >= 0
    ]
    pieces.append(pa.Table.from_batches([to_batch("items", "item_id", known, schema)]))


def _choice(pair: tuple[int, Selection] | None) -> Row:
    """Why and how an item was chosen."""
    if pair is None:
        return {}
    number, selection = pair
    return {"round": number, "arm": str(selection.arm)}


def _groups(service: Service) -> Iterator[list[Annotation]]:
    """The annotations of some items at a time."""
    stream = service.ledger.stream_annotations(by_item=True)
    items = (list(group) for _, group in groupby(stream, key=lambda a: a.item_id))
    at_once = service.settings.votes.consensus is ConsensusMethod.DAWID_SKENE
    while part := list(items if at_once else islice(items, ITEMS_AT_A_TIME)):
        yield [annotation for annotations in part for annotation in annotations]


def _facts_of(service: Service, annotations: Sequence[Annotation]) -> dict[str, Row]:
    """The facts of each labelled item that these annotations, all of their items, are about."""
    scheme, method = service.campaign.scheme, service.settings.votes.consensus
    human = counted_votes(annotations, scheme)
    settled = reach_consensus(human, scheme, method)
    labels = label_items(annotations, human, settled, scheme)
    texts = item_texts(service, {a.item_id for a in annotations if a.extra})
    facts = {}
    for item_id, group in groupby(annotations, key=lambda a: a.item_id):
        if label := labels.get(item_id):
            facts[item_id] = _fact(
                service, list(group), label, settled.get(item_id), texts.get(item_id, "")
            )
    return facts


def _fact(
    service: Service,
    annotations: Sequence[Annotation],
    label: ItemLabel,
    consensus: Consensus | None,
    text: str,
) -> Row:
    votes = [a for a in annotations if a.standing is Standing.VOTE]
    basis = [a for a in votes if a.source in _basis(label.source)]
    controls = service.campaign.controls
    spans, rewrite = merge_marks((read_marks(a, controls, text) for a in basis), label.labels)
    shares = consensus.support if consensus else {}
    return {
        "labels": list(label.labels),
        "asked": list(label.asked),
        "label_source": str(label.source),
        "policies": sorted({vote.policy_id for vote in votes}),
        "votes": consensus.votes if consensus else 0,
        "agreement": _agreement(consensus),
        "labelled_at": max(a.at for a in votes if a.source is label.source),
        "spans": json_text(spans),
        "rewrite": rewrite,
        ANNOTATORS: sorted({a.annotator for a in basis if a.source is LabelSource.HUMAN}),
        **{f"share_{name}": share for name, share in shares.items()},
    }


def _basis(source: LabelSource) -> tuple[LabelSource, ...]:
    """The sources whose marks belong to a label: an adjudication rests on votes."""
    return (source, LabelSource.HUMAN) if source is LabelSource.ADJUDICATED else (source,)


def _agreement(consensus: Consensus | None) -> float | None:
    if consensus is None or consensus.votes < 2 or not consensus.support:
        return None
    return min(max(share, 1 - share) for share in consensus.support.values())
