"""Versions of the annotation guideline, and what becomes of votes given under older ones."""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import AsideReason, LabelSource

PolicyAt = Callable[[datetime], str]
"""The id of the guideline version that was in force at a moment."""


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of what annotators are told: the guideline's text, and by label what stands
    beside the choice. Its id is a hash of the content: the same words are the same policy."""

    text: str
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """12 hex digits."""
        said = [f"\x1e{label}\x1f{words}" for label, words in sorted(self.labels.items())]
        return blake2b("".join([self.text, *said]).encode(), digest_size=6).hexdigest()


class Action(StrEnum):
    """What an engineer decides on votes given under older versions."""

    KEEP = "keep"
    """They count on; so they do as long as nothing is decided."""
    RE_ASK = "re-ask"
    """Items are shown again to whoever answered them; until then those answers do not count."""
    SET_ASIDE = "set-aside"
    """They stay on record and count for nothing; nobody is asked again."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What `by` decided at a moment on votes under the versions `older`, with `policy_id` in force.

    `labels` are those that an item must carry to be asked about again; () for all items.
    """

    policy_id: str
    older: tuple[str, ...]
    action: Action
    labels: tuple[str, ...]
    by: str
    at: datetime


def in_force(history: Sequence[tuple[datetime, str]], at: datetime) -> str:
    """The version in force at a moment, by when each came into force, oldest first (at least one).
    What is older than the first one counts as made under it."""
    return history[max(0, bisect_right(history, at, key=lambda row: row[0]) - 1)][1]


def votes_under(annotations: Iterable[Annotation]) -> Counter[str]:
    """Votes of people that count, by the version they were given under."""
    return Counter(a.policy_id for a in annotations if _human(a) and a.standing is Standing.VOTE)


def waiting(votes: Mapping[str, int], decisions: Iterable[Decision], current: str) -> set[str]:
    """The older versions whose votes wait for a decision, now that `current` is in force.

    Votes that still count under a version that was set aside came in after that decision, so they
    wait, too.
    """
    decided = {
        version
        for decision in decisions
        if decision.policy_id == current and decision.action is not Action.SET_ASIDE
        for version in decision.older
    }
    return {version for version, n in votes.items() if n} - decided - {current}


def concerned(
    annotations: Sequence[Annotation], decisions: Iterable[Decision], action: Action, current: str
) -> tuple[str, ...]:
    """The older versions that a decision is about: those with votes that count or were set aside.
    KEEP takes back only what was set aside since `current` came into force."""
    retired = {a.policy_id for a in annotations if _retired(a)}
    if action is Action.KEEP:
        retired &= {
            v for decision in decisions if decision.policy_id == current for v in decision.older
        }
    return tuple(sorted((retired | votes_under(annotations).keys()) - {current}))


def carrying(annotations: Iterable[Annotation], labels: Collection[str]) -> set[str]:
    """Ids of the items on which people's votes carry one of these labels."""
    return {
        a.item_id
        for a in annotations
        if _human(a) and (a.standing is Standing.VOTE or _retired(a)) and set(a.labels) & {*labels}
    }


def revised(
    annotations: Sequence[Annotation],
    older: Collection[str],
    action: Action,
    items: Collection[str] | None = None,
) -> list[Annotation]:
    """New versions of people's annotations under older guidelines, as a decision has it.

    `items` (None: all) are the ids of those that RE_ASK is about. KEEP takes a SET_ASIDE back, but
    not a RE_ASK: people were shown those items again. Each keeps the moment at which it was given.
    """
    about = {a.item_id for a in annotations} if items is None else items
    news = []
    for found in annotations:
        if not _human(found) or found.policy_id not in older:
            continue
        counts, retired = found.standing is Standing.VOTE, _retired(found)
        if action is Action.KEEP and retired:
            news.append(replace(found, standing=Standing.VOTE, reason=""))
        elif action is Action.SET_ASIDE and counts:
            news.append(_aside(found, AsideReason.OLDER_POLICY))
        elif action is Action.RE_ASK and (counts or retired) and found.item_id in about:
            news.append(_aside(found, AsideReason.ASKED_AGAIN))
    return news


def _human(annotation: Annotation) -> bool:
    return annotation.source is LabelSource.HUMAN


def _retired(annotation: Annotation) -> bool:
    return annotation.reason == AsideReason.OLDER_POLICY


def _aside(annotation: Annotation, reason: AsideReason) -> Annotation:
    return replace(annotation, standing=Standing.ASIDE, reason=str(reason))


def excerpt(text: str, labels: Collection[str]) -> str:
    """The sections of a Markdown guideline whose headings name one of the labels in backticks;
    the whole text when no heading names any label."""
    sections = re.split(r"(?m)^(?=## )", text)
    about = [s for s in sections if any(f"`{label}`" in _heading(s) for label in labels)]
    if not about and any("`" in _heading(section) for section in sections[1:]):
        return ""
    return "".join(about or sections).strip()


def _heading(section: str) -> str:
    return section.partition("\n")[0]
