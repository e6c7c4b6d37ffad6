"""What the votes on one item come to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import LabelSource, Scheme


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


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an item's label is taken to be, and on whose word."""

    labels: tuple[str, ...]
    asked: tuple[str, ...]
    source: LabelSource


_RANK = (LabelSource.SEED, LabelSource.CONSTRUCTED)


def resolve(annotations: Iterable[Annotation], scheme: Scheme) -> dict[str, Verdict]:
    """The label of every item that has one: people's consensus first, then seed, then constructed.

    Only annotations that stand as votes count; what an LLM said never does.
    """
    by_item: dict[str, list[Annotation]] = {}
    for found in annotations:
        if found.standing is Standing.VOTE:
            by_item.setdefault(found.item_id, []).append(found)
    verdicts = {}
    for item_id, votes in by_item.items():
        human = [v for v in votes if v.source is LabelSource.HUMAN]
        if human:
            agreed = majority(item_id, [v.labels for v in human], [v.asked for v in human], scheme)
            verdicts[item_id] = Verdict(agreed.labels, agreed.asked, LabelSource.HUMAN)
            continue
        ranked = sorted(
            (v for v in votes if v.source in _RANK), key=lambda v: _RANK.index(v.source)
        )
        if ranked:
            verdicts[item_id] = Verdict(ranked[0].labels, ranked[0].asked, ranked[0].source)
    return verdicts
