"""How many votes an item needs, and which of its annotations count."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import SLIPS, AsideReason, LabelSource


@dataclass(frozen=True, slots=True)
class VotePlan:
    """Votes per item and per audit item, and extra votes for audit items whose votes differ."""

    per_item: int = 1
    audit: int = 2
    tie_break: int = 1

    def votes_needed(self, audit: bool, votes: Sequence[Collection[str]]) -> int:
        """Total number of votes that an item needs, given the chosen labels of each vote it has."""
        if not audit:
            return self.per_item
        first = max(self.audit, self.per_item)
        differ = len(votes) >= first and len({frozenset(vote) for vote in votes[:first]}) > 1
        return first + (self.tie_break if differ else 0)

    def votes_missing(self, audit: bool, votes: Sequence[Collection[str]]) -> int:
        """Number of votes that the item still needs."""
        return max(0, self.votes_needed(audit, votes) - len(votes))


def uses_up_vote(annotation: Annotation) -> bool:
    """Whether the annotation uses up one of the votes that its item needs: it is a vote, or was
    one until votes under an older policy were set aside."""
    return annotation.standing is Standing.VOTE or annotation.reason == AsideReason.OLDER_POLICY


def answered_items(annotations: Iterable[Annotation], per_item: int) -> set[str]:
    """Ids of the items that no longer keep a round open: enough votes, or skipped, or with answers
    that do not count and whose author is not asked again."""
    human = [a for a in annotations if a.source is LabelSource.HUMAN]
    votes = Counter(a.item_id for a in human if uses_up_vote(a))
    skipped = {a.item_id for a in human if a.standing is Standing.SKIP}
    slips = Counter((a.item_id, a.annotator) for a in human if a.reason in SLIPS)
    given_up = {item_id for (item_id, _), n in slips.items() if n > 1}
    given_up |= {a.item_id for a in human if a.reason == AsideReason.UNKNOWN_LABEL}
    return skipped | given_up | {item_id for item_id, n in votes.items() if n >= per_item}


def settle_votes(
    annotations: Iterable[Annotation],
    plan: VotePlan,
    audit: bool,
    before: Iterable[Annotation] = (),
) -> list[Annotation]:
    """Sets aside the annotations of one item that must not count; returns all, oldest first.

    An annotator's first vote counts, later ones do not; nor do votes beyond the number that the
    item needs. `before` are other votes on the item, which count in any case.
    """
    counted = {vote.annotator: vote.labels for vote in before}
    settled = []
    for annotation in annotations:
        reason = None
        if annotation.standing is Standing.VOTE:
            if annotation.annotator in counted:
                reason = AsideReason.DUPLICATE
            elif not plan.votes_missing(audit, list(counted.values())):
                reason = AsideReason.OVER
            else:
                counted[annotation.annotator] = annotation.labels
        settled.append(
            replace(annotation, standing=Standing.ASIDE, reason=str(reason))
            if reason
            else annotation
        )
    return settled
