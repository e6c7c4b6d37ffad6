"""How many votes an item gets, and which of its annotations are the ones that count."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import AsideReason, LabelSource


@dataclass(frozen=True, slots=True)
class VotePlan:
    """Votes per item, those per audit item, and how many more where an audit item's differ."""

    per_item: int = 1
    audit: int = 2
    tie_break: int = 1

    def wanted(self, audit: bool, votes: Sequence[Collection[str]]) -> int:
        """Votes wanted on an item that has these (the chosen labels of each), in all."""
        if not audit:
            return self.per_item
        first = max(self.audit, self.per_item)
        differ = len(votes) >= first and len({frozenset(vote) for vote in votes[:first]}) > 1
        return first + (self.tie_break if differ else 0)

    def missing(self, audit: bool, votes: Sequence[Collection[str]]) -> int:
        """Votes that this item still lacks."""
        return max(0, self.wanted(audit, votes) - len(votes))


def judged(annotation: Annotation) -> bool:
    """Whether nobody else need be asked in its place: a vote, or what was one until votes under an
    older guideline were set aside."""
    return annotation.standing is Standing.VOTE or annotation.reason == AsideReason.OLDER_POLICY


def answered(annotations: Iterable[Annotation], per_item: int) -> set[str]:
    """Ids of the items that hold no round up: enough people judged them, or somebody skipped."""
    said = [a for a in annotations if a.source is LabelSource.HUMAN]
    votes = Counter(a.item_id for a in said if judged(a))
    skipped = {a.item_id for a in said if a.standing is Standing.SKIP}
    return skipped | {item_id for item_id, n in votes.items() if n >= per_item}


def settle(
    annotations: Iterable[Annotation],
    plan: VotePlan,
    audit: bool,
    before: Iterable[Annotation] = (),
) -> list[Annotation]:
    """One item's annotations, oldest first, with those that must not count set aside.

    A person has one vote, the first; votes beyond those wanted are set aside as well. `before`
    are votes that count already, whatever comes.
    """
    counted = {vote.annotator: vote.labels for vote in before}
    settled = []
    for found in annotations:
        reason = None
        if found.standing is Standing.VOTE:
            if found.annotator in counted:
                reason = AsideReason.DUPLICATE
            elif not plan.missing(audit, list(counted.values())):
                reason = AsideReason.OVER
            else:
                counted[found.annotator] = found.labels
        settled.append(
            replace(found, standing=Standing.ASIDE, reason=str(reason)) if reason else found
        )
    return settled
