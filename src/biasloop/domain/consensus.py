"""What the votes on one item come to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from biasloop.domain.label import Scheme


@dataclass(frozen=True, slots=True)
class Consensus:
    """The labels most voters chose; `support` is the share of votes behind each label asked."""

    item_id: str
    labels: tuple[str, ...]
    asked: tuple[str, ...]
    votes: int
    support: Mapping[str, float]


def majority(
    item_id: str, votes: Sequence[Sequence[str]], asked: Sequence[Sequence[str]], scheme: Scheme
) -> Consensus:
    """Majority per label (multi-label) or over classes (single-label).

    `votes[i]` are the labels of vote i, `asked[i]` those it was asked about. A label counts over
    the votes that were asked about it. A tie goes to "yes" in a multi-label scheme, so that a
    second vote never hides a first one's finding; in a single-label scheme to the class voted
    first. Raises ValueError without votes.
    """
    if not votes:
        raise ValueError(f"no votes on item {item_id}")
    matrix = scheme.encode(votes, asked)
    known = [j for j in range(len(scheme.labels)) if (matrix[:, j] >= 0).any()]
    share = {scheme.labels[j]: float(matrix[matrix[:, j] >= 0, j].mean()) for j in known}
    if scheme.multi:
        chosen = tuple(label for label, value in share.items() if value >= 0.5)
    else:
        order = [label for vote in votes for label in vote]
        chosen = (max(share, key=lambda label: (share[label], -_first(order, label))),)
    return Consensus(
        item_id=item_id,
        labels=chosen or ((scheme.none_label,) if scheme.none_label else ()),
        asked=tuple(scheme.labels[j] for j in known),
        votes=len(votes),
        support=share,
    )


def _first(order: Sequence[str], label: str) -> int:
    return order.index(label) if label in order else len(order)
