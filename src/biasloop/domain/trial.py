"""Trials of a draft policy: how a language model labels scenarios under the policy in force and
under the draft, and where the two differ. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Rows
from biasloop.domain.policy import Policy
from biasloop.domain.writing.judgement import Judgement
from biasloop.domain.writing.prompt import Problem, Spending


class ScenarioReason(StrEnum):
    """Why a scenario is in a trial."""

    DIFFER = "votes differ"
    BORDER = "labelled, near the border"
    UNSURE = "unlabelled, near the border"
    DRAWN = "drawn at random"
    GIVEN = "given"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A text for the language model to judge.

    `known` are its labels according to annotators, or to the author of a given text; None if it has
    none. `item_id` and `roots` are those of the item in the pool; they are empty for a given text.
    """

    text: str
    why: ScenarioReason = ScenarioReason.GIVEN
    known: tuple[str, ...] | None = None
    item_id: str = ""
    roots: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A scenario and its verdicts: `before` under the policy in force, `after` under the draft."""

    scenario: Scenario
    before: Judgement | Problem
    after: Judgement | Problem

    @property
    def answered(self) -> bool:
        """Whether there are verdicts under both policies."""
        return isinstance(self.before, Judgement) and isinstance(self.after, Judgement)

    @property
    def changes(self) -> bool:
        """Whether the labels differ between the two policies."""
        return self.answered and judged_labels(self.before) != judged_labels(self.after)

    @property
    def contradicts(self) -> bool:
        """Whether the labels under the draft differ from the known ones."""
        return self._differs(self.after)

    @property
    def contradicted(self) -> bool:
        """Whether the labels under the policy in force differ from the known ones."""
        return self._differs(self.before)

    def _differs(self, verdict: Judgement | Problem) -> bool:
        if self.scenario.known is None or not isinstance(verdict, Judgement):
            return False
        return judged_labels(verdict) != {*self.scenario.known}


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial of a draft policy against the policy with the id `against`, on scenarios in a fixed
    order.

    The id is a hash of the question, so a repeated trial, which may have more answers, replaces the
    first. `stopped` says why answers are missing; None if none are.
    """

    id: str
    at: datetime
    by: str
    draft: Policy
    against: str
    model: str
    cases: tuple[Case, ...]
    stopped: str | None
    spending: Spending


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment on a scenario, which is given by its number in the trial, from 1."""

    scenario: int
    by: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class LabelTotal:
    """Numbers of answered scenarios: those that have a label before and after, and those that gain
    or lose it under the draft."""

    label: str
    before: int
    after: int
    gained: int
    lost: int


def trial_id(draft: Policy, against: Policy, model: str, scenarios: Iterable[Scenario]) -> str:
    """A hash of everything that is asked, 8 hex digits."""
    parts = [draft.id, against.id, model, *(scenario.text for scenario in scenarios)]
    question = "\x1f".join(parts).encode("utf-8", "surrogatepass")
    return blake2b(question, digest_size=4).hexdigest()


def judged_labels(verdict: Judgement | Problem) -> set[str]:
    """The labels of a verdict; empty if there is none."""
    return {*verdict.labels} if isinstance(verdict, Judgement) else set()


def sort_cases(cases: Iterable[Case]) -> list[tuple[int, Case]]:
    """Numbers the cases from 1 and sorts them: first cases that change, then those that contradict
    known labels, then those without an answer."""

    def sort_key(numbered: tuple[int, Case]) -> tuple[bool, bool, bool, int]:
        number, case = numbered
        return not case.changes, not case.contradicts, case.answered, number

    return sorted(enumerate(cases, start=1), key=sort_key)


def label_totals(cases: Iterable[Case], choices: Sequence[str]) -> list[LabelTotal]:
    """What changes for each label, without labels that no verdict has."""
    label_pairs = [
        (judged_labels(case.before), judged_labels(case.after)) for case in cases if case.answered
    ]
    totals = [
        LabelTotal(
            label,
            sum(label in before for before, _ in label_pairs),
            sum(label in after for _, after in label_pairs),
            sum(label in after - before for before, after in label_pairs),
            sum(label in before - after for before, after in label_pairs),
        )
        for label in choices
    ]
    return [total for total in totals if total.before or total.after]


def labels_to_re_ask(cases: Iterable[Case]) -> dict[str, int]:
    """The labels for a decision to re-ask, so that it applies to every item whose known labels the
    draft contradicts; and how many such items have each label.

    For each item these are the labels that the draft removes, or all of its labels if the draft
    only adds some.
    """
    counts: dict[str, int] = {}
    for case in cases:
        if case.contradicts and case.scenario.item_id:
            known = {*(case.scenario.known or ())}
            for label in (known - judged_labels(case.after)) or known:
                counts[label] = counts.get(label, 0) + 1
    return dict(sorted(counts.items()))


def mix_scenarios(
    n: int,
    *,
    differ: Rows,
    labelled: tuple[Rows, ScenarioReason],
    unlabelled: tuple[Rows, ScenarioReason],
    hashes: NDArray[np.str_],
) -> list[tuple[int, ScenarioReason]]:
    """Chooses up to n scenarios, at most one per text; returns (pool row, reason).

    A quarter are items whose votes differ; together with other labelled items they are half of the
    scenarios; the other half are unlabelled items. Each array is used in its order. If there are
    too few of one kind, the others fill its places. `hashes` holds the text hash of each pool row.
    """
    chosen: dict[str, tuple[int, ScenarioReason]] = {}

    def take(rows: Rows, why: ScenarioReason, limit: int) -> None:
        """Adds rows until `limit` scenarios are chosen in total."""
        for row in rows:
            if len(chosen) >= limit:
                return
            chosen.setdefault(str(hashes[row]), (int(row), why))

    take(differ, ScenarioReason.DIFFER, n // 4)
    take(*labelled, n // 2)
    take(*unlabelled, n)
    take(differ, ScenarioReason.DIFFER, n)
    take(*labelled, n)
    return list(chosen.values())
