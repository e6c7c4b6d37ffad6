"""ANNOTATED -> AGGREGATED: the votes come to a consensus; the votes are kept."""

from collections.abc import Iterable, Sequence

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import LabelSource, Scheme
from biasloop.domain.round import Done
from biasloop.domain.votes.consensus import Consensus, Method, agree


def aggregate(
    *,
    annotations: Iterable[Annotation],
    known: Sequence[Consensus],
    scheme: Scheme,
    method: Method,
    sequence: int,
) -> Done:
    """Consensus on every item whose votes changed since it was last taken, late ones included.

    `sequence` is the ledger sequence number at which the annotations were read.
    """
    votes: dict[str, list[Annotation]] = {}
    for found in annotations:
        if found.source is LabelSource.HUMAN and found.standing is Standing.VOTE:
            votes.setdefault(found.item_id, []).append(found)
    before = {c.item_id: c for c in known}
    agreed = list(agree(votes, scheme, method).values())
    withdrawn = [
        Consensus(item_id, labels=(), asked=(), votes=0, support={})
        for item_id, old in before.items()
        if old.votes and item_id not in votes
    ]
    news = tuple(c for c in agreed + withdrawn if before.get(c.item_id) != c)
    return Done(facts={"sequence": sequence, "consensus": len(agreed)}, records=news)
