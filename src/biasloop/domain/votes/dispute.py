"""Which items need a second look. Pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import LabelSource, Scheme
from biasloop.domain.votes.consensus import adjudications, counted_votes


class DisputeReason(StrEnum):
    """Why an item needs a second look."""

    VOTES_DIFFER = "votes differ"
    UNSURE = "somebody is unsure"


@dataclass(frozen=True, slots=True)
class Dispute:
    """An item that needs a second look, or had it. `answers` are its votes that count and what else
    carries a flag, `labels` those in question, in the order of the scheme."""

    item_id: str
    answers: Sequence[Annotation]
    reasons: Sequence[DisputeReason]
    labels: Sequence[str]
    decision: Annotation | None


def find_disputes(
    annotations: Iterable[Annotation], flagged: Collection[str], scheme: Scheme
) -> list[Dispute]:
    """The items whose counted votes disagree or that carry a flag, and those that were adjudicated;
    newest answer or decision first. `flagged` are the keys of the answers in which somebody asks
    for a second look; a flag on a skipped item counts, one on an answer that was set aside does
    not.

    Votes disagree about a label if somebody said yes and somebody no; an annotator who was not
    asked about it said neither. Gold items are left out, because their answer is known.
    """
    annotations = list(annotations)
    gold = {a.item_id for a in annotations if a.source is LabelSource.GOLD}
    answers = counted_votes(annotations, scheme)
    for annotation in annotations:
        if annotation.standing is Standing.SKIP and annotation.key in flagged:
            answers.setdefault(annotation.item_id, []).append(annotation)
    decided = adjudications(annotations, scheme)
    disputes = [
        _dispute(item_id, answers.get(item_id, []), flagged, decided.get(item_id), scheme)
        for item_id in {**answers, **decided}
        if item_id not in gold
    ]
    listed = (dispute for dispute in disputes if dispute.reasons or dispute.decision)
    return sorted(listed, key=_newest, reverse=True)


def _dispute(
    item_id: str,
    answers: Sequence[Annotation],
    flagged: Collection[str],
    decision: Annotation | None,
    scheme: Scheme,
) -> Dispute:
    votes = [answer for answer in answers if answer.standing is Standing.VOTE]
    matrix = scheme.encode([v.labels for v in votes], [v.asked for v in votes])
    differ = (matrix == 0).any(axis=0) & (matrix == 1).any(axis=0)
    unsure = [answer for answer in answers if answer.key in flagged]
    in_question = {label for label, yes in zip(scheme.labels, differ, strict=True) if yes}
    in_question |= {label for answer in unsure for label in answer.labels}
    reasons = [DisputeReason.VOTES_DIFFER] if differ.any() else []
    return Dispute(
        item_id=item_id,
        answers=answers,
        reasons=[*reasons, *([DisputeReason.UNSURE] if unsure else [])],
        labels=[label for label in scheme.choices if label in in_question],
        decision=decision,
    )


def _newest(dispute: Dispute) -> datetime:
    if dispute.decision:
        return dispute.decision.at
    return max(answer.at for answer in dispute.answers)
