"""What the votes on one item come to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import LabelSource, Scheme
from biasloop.domain.votes.dawid_skene import fit_dawid_skene


class ConsensusMethod(StrEnum):
    """How votes come to a consensus."""

    MAJORITY = "majority"
    DAWID_SKENE = "dawid_skene"
    """Votes weigh by how reliable their authors prove to be, per label."""


@dataclass(frozen=True, slots=True)
class Consensus:
    """What an item's label is taken to be; `support` is the share of votes behind each label
    asked, or by Dawid–Skene its probability."""

    item_id: str
    labels: tuple[str, ...]
    asked: tuple[str, ...]
    votes: int
    support: Mapping[str, float]


def majority_consensus(
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


def reach_consensus(
    votes: Mapping[str, Sequence[Annotation]], scheme: Scheme, method: ConsensusMethod
) -> dict[str, Consensus]:
    """The consensus on every item, from its votes (at least one each)."""
    if method is ConsensusMethod.DAWID_SKENE:
        return _by_reliability(votes, scheme)
    return {
        item_id: majority_consensus(
            item_id, [v.labels for v in said], [v.asked for v in said], scheme
        )
        for item_id, said in votes.items()
    }


def _by_reliability(
    votes: Mapping[str, Sequence[Annotation]], scheme: Scheme
) -> dict[str, Consensus]:
    flat = [(item_id, vote) for item_id, said in votes.items() for vote in said]
    matrix = scheme.encode([v.labels for _, v in flat], [v.asked for _, v in flat])
    items = np.array([item_id for item_id, _ in flat])
    people = np.array([vote.annotator for _, vote in flat])
    support: dict[str, dict[str, float]] = {item_id: {} for item_id in votes}
    if scheme.multi:
        for j, label in enumerate(scheme.labels):
            asked = matrix[:, j] >= 0
            for item_id, (_, yes) in _probabilities(
                items[asked], people[asked], matrix[asked, j].astype(np.intp), 2
            ):
                support[item_id][label] = yes
    else:
        known = (matrix == 1).any(axis=1)
        said = matrix[known].argmax(axis=1)
        for item_id, row in _probabilities(items[known], people[known], said, len(scheme.labels)):
            support[item_id] = dict(zip(scheme.labels, row, strict=True))
    return {
        item_id: Consensus(
            item_id=item_id,
            labels=_likely(support[item_id], scheme),
            asked=tuple(support[item_id]),
            votes=len(said),
            support=support[item_id],
        )
        for item_id, said in votes.items()
    }


def _probabilities(
    items: NDArray[np.str_], people: NDArray[np.str_], said: NDArray[np.intp], k: int
) -> Iterable[tuple[str, list[float]]]:
    names, item = np.unique(items, return_inverse=True)
    _, person = np.unique(people, return_inverse=True)
    crowd = fit_dawid_skene(item, person, said, k)
    return ((str(name), row) for name, row in zip(names, crowd.proba.tolist(), strict=True))


def _likely(support: Mapping[str, float], scheme: Scheme) -> tuple[str, ...]:
    if not scheme.multi:
        return (max(support, key=lambda label: support[label]),) if support else ()
    chosen = tuple(label for label, p in support.items() if p >= 0.5)
    return chosen or ((scheme.none_label,) if scheme.none_label else ())


@dataclass(frozen=True, slots=True)
class ItemLabel:
    """What an item's label is taken to be, and on whose word; `votes` are (labels, asked) of each
    person's vote."""

    labels: tuple[str, ...]
    asked: tuple[str, ...]
    source: LabelSource
    votes: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()


_RANK = (LabelSource.SEED, LabelSource.CONSTRUCTED, LabelSource.LLM)


def resolve_item_labels(
    annotations: Iterable[Annotation], scheme: Scheme, method: ConsensusMethod
) -> dict[str, ItemLabel]:
    """The label of every item that has one: people's consensus first, then seed, then constructed,
    then that of the language model that wrote it. Only annotations that stand as votes count.
    """
    human: dict[str, list[Annotation]] = {}
    others: dict[str, Annotation] = {}
    for found in annotations:
        if found.standing is not Standing.VOTE:
            continue
        if found.source is LabelSource.HUMAN:
            human.setdefault(found.item_id, []).append(found)
        elif found.source in _RANK:
            known = others.setdefault(found.item_id, found)
            if _RANK.index(found.source) < _RANK.index(known.source):
                others[found.item_id] = found
    verdicts = {
        item_id: ItemLabel(found.labels, found.asked, found.source)
        for item_id, found in others.items()
    }
    for item_id, agreed in reach_consensus(human, scheme, method).items():
        votes = tuple((vote.labels, vote.asked) for vote in human[item_id])
        verdicts[item_id] = ItemLabel(agreed.labels, agreed.asked, LabelSource.HUMAN, votes)
    return verdicts
