"""ANNOTATED -> AGGREGATED: resolves the votes to a consensus; the votes stay in the ledger."""

from collections.abc import Iterable, Sequence

from biasloop.domain.annotation import Annotation
from biasloop.domain.label import Scheme
from biasloop.domain.round import Done
from biasloop.domain.votes.consensus import Consensus, ConsensusMethod, settle_items


def aggregate(
    *,
    annotations: Iterable[Annotation],
    known: Sequence[Consensus],
    scheme: Scheme,
    method: ConsensusMethod,
    sequence: int,
) -> Done:
    """Computes the consensus on every item whose votes or adjudication have changed since the last
    one, including late votes on items of earlier rounds.

    `known` are the consensus records so far, `sequence` is the ledger sequence number at which the
    annotations were read.
    """
    known_by_item = {consensus.item_id: consensus for consensus in known}
    settled = settle_items(annotations, scheme, method)
    withdrawn = [
        Consensus(item_id, labels=(), asked=(), votes=0, support={})
        for item_id in known_by_item
        if item_id not in settled
    ]
    changed = tuple(
        consensus
        for consensus in [*settled.values(), *withdrawn]
        if known_by_item.get(consensus.item_id) != consensus
    )
    return Done(facts={"sequence": sequence, "consensus": len(settled)}, records=changed)
