"""ANNOTATED -> AGGREGATED: resolves the votes to a consensus; the votes stay in the ledger."""

from collections.abc import Iterable, Sequence

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import LabelSource, Scheme
from biasloop.domain.round import Done
from biasloop.domain.votes.consensus import (
    Consensus,
    ConsensusMethod,
    reach_consensus,
    votes_of_today,
)


def aggregate(
    *,
    annotations: Iterable[Annotation],
    known: Sequence[Consensus],
    scheme: Scheme,
    method: ConsensusMethod,
    sequence: int,
) -> Done:
    """Computes the consensus on every item whose votes have changed since the last one, including
    late votes on items of earlier rounds.

    `known` are the consensus records so far, `sequence` is the ledger sequence number at which the
    annotations were read.
    """
    votes: dict[str, list[Annotation]] = {}
    for annotation in votes_of_today(annotations, scheme):
        if annotation.source is LabelSource.HUMAN and annotation.standing is Standing.VOTE:
            votes.setdefault(annotation.item_id, []).append(annotation)
    known_by_item = {consensus.item_id: consensus for consensus in known}
    agreed = list(reach_consensus(votes, scheme, method).values())
    withdrawn = [
        Consensus(item_id, labels=(), asked=(), votes=0, support={})
        for item_id, previous in known_by_item.items()
        if previous.votes and item_id not in votes
    ]
    changed = tuple(
        consensus
        for consensus in agreed + withdrawn
        if known_by_item.get(consensus.item_id) != consensus
    )
    return Done(facts={"sequence": sequence, "consensus": len(agreed)}, records=changed)
