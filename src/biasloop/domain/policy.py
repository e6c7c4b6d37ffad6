"""Policies (versions of the guideline), and what happens to votes given under older ones."""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import BY_PEOPLE, AsideReason

PolicyAt = Callable[[datetime], str]
"""Returns the id of the policy that was in force at a moment."""


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of what annotators read: the text of the guideline, and for each label the
    description that is shown next to it. The id is a hash of the content, so policies with the same
    content are the same policy."""

    text: str
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """12 hex digits."""
        lines = [f"\x1e{label}\x1f{text}" for label, text in sorted(self.labels.items())]
        return blake2b("".join([self.text, *lines]).encode(), digest_size=6).hexdigest()


class VoteAction(StrEnum):
    """What an engineer decides to do with votes given under older policies."""

    KEEP = "keep"
    """They continue to count, as they do while nothing has been decided."""
    RE_ASK = "re-ask"
    """Items are shown again to those who answered them; until then their answers do not count."""
    SET_ASIDE = "set-aside"
    """They stay on record but do not count; nobody is asked again."""


@dataclass(frozen=True, slots=True)
class PolicyDecision:
    """What `by` decided about votes under the policies `older` while `policy_id` was in force.

    RE_ASK applies to items that carry one of `labels`, or to all items if `labels` is empty.
    """

    policy_id: str
    older: tuple[str, ...]
    action: VoteAction
    labels: tuple[str, ...]
    by: str
    at: datetime


def version_in_force(history: Sequence[tuple[datetime, str]], at: datetime) -> str:
    """The id of the policy in force at a moment.

    `history` holds (start, policy id) of every policy, oldest first, and is not empty. A moment
    before the first start belongs to the first policy.
    """
    return history[max(0, bisect_right(history, at, key=lambda row: row[0]) - 1)][1]


def count_votes_by_policy(annotations: Iterable[Annotation]) -> Counter[str]:
    """Number of votes and adjudications that count, by the policy they were given under."""
    return Counter(
        a.policy_id for a in annotations if _is_by_people(a) and a.standing is Standing.VOTE
    )


def versions_to_decide(
    votes: Mapping[str, int], decisions: Iterable[PolicyDecision], current: str
) -> set[str]:
    """Ids of the older policies whose votes need a decision, now that `current` is in force.

    `votes` counts the votes of each policy. Setting aside a policy leaves no vote that counts, so
    votes under such a policy arrived after the decision and need one as well.
    """
    decided = {
        version
        for decision in decisions
        if decision.policy_id == current and decision.action is not VoteAction.SET_ASIDE
        for version in decision.older
    }
    return {version for version, n in votes.items() if n} - decided - {current}


def affected_versions(
    annotations: Sequence[Annotation],
    decisions: Iterable[PolicyDecision],
    action: VoteAction,
    current: str,
) -> tuple[str, ...]:
    """Ids of the older policies that a decision affects: those with votes that count or that an
    earlier decision set aside. KEEP restores only what was set aside since `current` came into
    force."""
    retired = {a.policy_id for a in annotations if _is_retired(a)}
    if action is VoteAction.KEEP:
        retired &= {
            v for decision in decisions if decision.policy_id == current for v in decision.older
        }
    return tuple(sorted((retired | count_votes_by_policy(annotations).keys()) - {current}))


def items_with_labels(annotations: Iterable[Annotation], labels: Collection[str]) -> set[str]:
    """Ids of the items that have at least one vote or adjudication for one of these labels."""
    return {
        a.item_id
        for a in annotations
        if _is_by_people(a)
        and (a.standing is Standing.VOTE or _is_retired(a))
        and set(a.labels) & {*labels}
    }


def apply_decision(
    annotations: Sequence[Annotation],
    older: Collection[str],
    action: VoteAction,
    items: Collection[str] | None = None,
) -> list[Annotation]:
    """Applies a decision to votes and adjudications given under the policies `older`; returns the
    new version of each annotation that changes.

    `items` are the ids of the items that RE_ASK applies to (None: all). KEEP undoes SET_ASIDE but
    not RE_ASK, since those items were already shown again. Timestamps do not change.
    """
    revised = []
    for annotation in annotations:
        if not _is_by_people(annotation) or annotation.policy_id not in older:
            continue
        if action is VoteAction.RE_ASK and items is not None and annotation.item_id not in items:
            continue
        counts, retired = annotation.standing is Standing.VOTE, _is_retired(annotation)
        if action is VoteAction.KEEP and retired:
            revised.append(replace(annotation, standing=Standing.VOTE, reason=""))
        elif action is VoteAction.SET_ASIDE and counts:
            revised.append(_set_aside(annotation, AsideReason.OLDER_POLICY))
        elif action is VoteAction.RE_ASK and (counts or retired):
            revised.append(_set_aside(annotation, AsideReason.ASKED_AGAIN))
    return revised


def _is_by_people(annotation: Annotation) -> bool:
    return annotation.source in BY_PEOPLE


def _is_retired(annotation: Annotation) -> bool:
    """Whether it was a vote until a decision set votes under its policy aside."""
    return annotation.reason == AsideReason.OLDER_POLICY


def _set_aside(annotation: Annotation, reason: AsideReason) -> Annotation:
    return replace(annotation, standing=Standing.ASIDE, reason=str(reason))


def excerpt(text: str, labels: Collection[str]) -> str:
    """The sections of a Markdown guideline whose headings name one of the labels in backticks;
    the whole text if no heading names any label."""
    sections = re.split(r"(?m)^(?=## )", text)
    matching = [s for s in sections if any(f"`{label}`" in _heading(s) for label in labels)]
    if not matching and any("`" in _heading(section) for section in sections[1:]):
        return ""
    return "".join(matching or sections).strip()


def _heading(section: str) -> str:
    return section.partition("\n")[0]
