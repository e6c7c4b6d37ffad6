"""Combines the votes on an item into a consensus, and resolves the label of each item."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import Labels, LabelSource, Scheme
from biasloop.domain.votes.dawid_skene import fit_dawid_skene


class ConsensusMethod(StrEnum):
    """How votes are combined into a consensus."""

    MAJORITY = "majority"
    DAWID_SKENE = "dawid_skene"
    """Weights votes by the estimated reliability of each annotator on each label."""


@dataclass(frozen=True, slots=True)
class Consensus:
    """The consensus labels of an item. `support` is, for each label that its `votes` votes were
    asked about, the share of votes for it (MAJORITY) or its probability (DAWID_SKENE). Where
    somebody adjudicated, `labels` and `asked` are those of the decision, whatever the votes say."""

    item_id: str
    labels: tuple[str, ...]
    asked: tuple[str, ...]
    votes: int
    support: Mapping[str, float]


def majority_consensus(
    item_id: str, votes: Sequence[Sequence[str]], asked: Sequence[Sequence[str]], scheme: Scheme
) -> Consensus:
    """The majority for each label (multi-label scheme) or among the classes (single-label).

    `votes[i]` are the labels of vote i, `asked[i]` the labels it was asked about. The share of a
    label is taken over the votes that were asked about it. In a multi-label scheme a tie means yes,
    so that a second vote never removes a label that the first one chose; in a single-label scheme
    the class that was voted first wins a tie. Votes for labels that the scheme no longer has are
    votes for nothing; if there are no others, there is no label. Raises ValueError if there are no
    votes.
    """
    if not votes:
        raise ValueError(f"no votes on item {item_id}")
    return _majority(item_id, votes, scheme.encode(votes, asked), scheme)


def _majority(
    item_id: str, votes: Sequence[Sequence[str]], matrix: Labels, scheme: Scheme
) -> Consensus:
    """The majority of these votes, from their label matrix (votes, labels)."""
    shares = {}
    for label, answers in zip(scheme.labels, matrix.T.tolist(), strict=True):
        if given := [answer for answer in answers if answer >= 0]:
            shares[label] = sum(given) / len(given)
    if scheme.multi:
        chosen = tuple(label for label, share in shares.items() if share >= 0.5)
    else:
        voted = [label for vote in votes for label in scheme.current_choices(vote)]
        shared_first = sorted(
            shares, key=lambda label: (-shares[label], _first_index(voted, label))
        )
        chosen = tuple(label for label in shared_first[:1] if shares[label] > 0)
    return Consensus(
        item_id=item_id,
        labels=chosen or ((scheme.none_label,) if scheme.none_label and shares else ()),
        asked=tuple(shares),
        votes=len(votes),
        support=shares,
    )


def votes_of_today(votes: Iterable[Annotation], scheme: Scheme) -> list[Annotation]:
    """The votes as they read under the scheme of today: by the present names of its labels, without
    labels that it no longer has, and without votes for nothing (`Scheme.is_vote_for_nothing`)."""
    return [
        vote
        if (current := scheme.current_choices(vote.labels)) == vote.labels
        else replace(vote, labels=current)
        for vote in votes
        if not scheme.is_vote_for_nothing(vote.labels)
    ]


def _first_index(labels: Sequence[str], label: str) -> int:
    """The position of the label's first occurrence; after the end if there is none."""
    return labels.index(label) if label in labels else len(labels)


def reach_consensus(
    votes: Mapping[str, Sequence[Annotation]], scheme: Scheme, method: ConsensusMethod
) -> dict[str, Consensus]:
    """The consensus on every item that has a vote for something; `votes` holds the votes on it by
    item id."""
    votes = {
        item_id: counted
        for item_id, item_votes in votes.items()
        if (counted := votes_of_today(item_votes, scheme))
    }
    if method is ConsensusMethod.DAWID_SKENE:
        return _dawid_skene_consensus(votes, scheme)
    every = [vote for item_votes in votes.values() for vote in item_votes]
    matrix = scheme.encode([vote.labels for vote in every], [vote.asked for vote in every])
    ends = accumulate(map(len, votes.values()))
    return {
        item_id: _majority(
            item_id,
            [vote.labels for vote in item_votes],
            matrix[end - len(item_votes) : end],
            scheme,
        )
        for (item_id, item_votes), end in zip(votes.items(), ends, strict=True)
    }


def counted_votes(annotations: Iterable[Annotation], scheme: Scheme) -> dict[str, list[Annotation]]:
    """The votes of people that count under the scheme of today, by item id."""
    votes: dict[str, list[Annotation]] = {}
    for annotation in votes_of_today(annotations, scheme):
        if annotation.source is LabelSource.HUMAN and annotation.standing is Standing.VOTE:
            votes.setdefault(annotation.item_id, []).append(annotation)
    return votes


def adjudications(annotations: Iterable[Annotation], scheme: Scheme) -> dict[str, Annotation]:
    """The adjudication that counts under the scheme of today, by item id."""
    return {
        annotation.item_id: annotation
        for annotation in votes_of_today(annotations, scheme)
        if annotation.source is LabelSource.ADJUDICATED and annotation.standing is Standing.VOTE
    }


def settle_items(
    annotations: Iterable[Annotation], scheme: Scheme, method: ConsensusMethod
) -> dict[str, Consensus]:
    """What people say about every item that they said anything about: the consensus of the votes,
    or what was adjudicated."""
    annotations = list(annotations)
    settled = reach_consensus(counted_votes(annotations, scheme), scheme, method)
    for item_id, decision in adjudications(annotations, scheme).items():
        voted = settled.get(item_id) or Consensus(item_id, (), (), votes=0, support={})
        settled[item_id] = replace(voted, labels=decision.labels, asked=decision.asked)
    return settled


def _dawid_skene_consensus(
    votes: Mapping[str, Sequence[Annotation]], scheme: Scheme
) -> dict[str, Consensus]:
    all_votes = [(item_id, vote) for item_id, item_votes in votes.items() for vote in item_votes]
    matrix = scheme.encode([v.labels for _, v in all_votes], [v.asked for _, v in all_votes])
    items = np.array([item_id for item_id, _ in all_votes])
    annotators = np.array([vote.annotator for _, vote in all_votes])
    support: dict[str, dict[str, float]] = {item_id: {} for item_id in votes}
    if scheme.multi:
        for j, label in enumerate(scheme.labels):
            asked = matrix[:, j] >= 0
            for item_id, (_, p_yes) in _class_probabilities(
                items[asked], annotators[asked], matrix[asked, j].astype(np.intp), 2
            ):
                support[item_id][label] = p_yes
    else:
        voted = (matrix == 1).any(axis=1)
        for item_id, row in _class_probabilities(
            items[voted], annotators[voted], matrix[voted].argmax(axis=1), len(scheme.labels)
        ):
            support[item_id] = dict(zip(scheme.labels, row, strict=True))
    return {
        item_id: Consensus(
            item_id=item_id,
            labels=_probable_labels(support[item_id], scheme),
            asked=tuple(support[item_id]),
            votes=len(item_votes),
            support=support[item_id],
        )
        for item_id, item_votes in votes.items()
    }


def _class_probabilities(
    items: NDArray[np.str_], annotators: NDArray[np.str_], classes: NDArray[np.intp], k: int
) -> Iterable[tuple[str, list[float]]]:
    """The id of each item and the probability of each of its k classes, from votes."""
    item_ids, item_numbers = np.unique(items, return_inverse=True)
    _, annotator_numbers = np.unique(annotators, return_inverse=True)
    proba = fit_dawid_skene(item_numbers, annotator_numbers, classes, k).proba
    return ((str(item_id), row) for item_id, row in zip(item_ids, proba.tolist(), strict=True))


def _probable_labels(support: Mapping[str, float], scheme: Scheme) -> tuple[str, ...]:
    if not scheme.multi:
        return (max(support, key=lambda label: support[label]),) if support else ()
    chosen = tuple(label for label, p in support.items() if p >= 0.5)
    return chosen or ((scheme.none_label,) if scheme.none_label else ())


@dataclass(frozen=True, slots=True)
class ItemLabel:
    """The labels of an item and where they come from; `votes` holds (labels, asked) of each vote
    that they are the consensus of."""

    labels: tuple[str, ...]
    asked: tuple[str, ...]
    source: LabelSource
    votes: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()


_PRECEDENCE = (LabelSource.SEED, LabelSource.CONSTRUCTED, LabelSource.LLM)
"""The sources of labels that apply where an item has no votes, the most trusted first."""


def resolve_item_labels(
    annotations: Iterable[Annotation], scheme: Scheme, method: ConsensusMethod
) -> dict[str, ItemLabel]:
    """The label of every item that has one, by item id.

    It is what was adjudicated; otherwise the annotators' consensus if there is one, then the label
    of the seed, then the constructed label, then that of the language model. Only annotations that
    stand as votes count, and only if they name a label of the scheme of today.
    """
    annotations = list(annotations)
    human = counted_votes(annotations, scheme)
    return label_items(annotations, human, reach_consensus(human, scheme, method), scheme)


def label_items(
    annotations: Sequence[Annotation],
    human: Mapping[str, Sequence[Annotation]],
    reached: Mapping[str, Consensus],
    scheme: Scheme,
) -> dict[str, ItemLabel]:
    """The labels of items, by id, from the votes of people that count (`human`, by item) and the
    consensus that they `reached`."""
    others: dict[str, Annotation] = {}
    for annotation in votes_of_today(annotations, scheme):
        if annotation.standing is Standing.VOTE and annotation.source in _PRECEDENCE:
            best = others.setdefault(annotation.item_id, annotation)
            if _PRECEDENCE.index(annotation.source) < _PRECEDENCE.index(best.source):
                others[annotation.item_id] = annotation
    item_labels = {
        item_id: ItemLabel(annotation.labels, annotation.asked, annotation.source)
        for item_id, annotation in others.items()
    }
    for item_id, consensus in reached.items():
        votes = tuple((vote.labels, vote.asked) for vote in human[item_id])
        item_labels[item_id] = ItemLabel(
            consensus.labels, consensus.asked, LabelSource.HUMAN, votes
        )
    return item_labels | {
        item_id: ItemLabel(decision.labels, decision.asked, LabelSource.ADJUDICATED)
        for item_id, decision in adjudications(annotations, scheme).items()
    }
