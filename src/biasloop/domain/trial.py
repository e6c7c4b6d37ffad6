"""A draft of the guideline, tried: what a language model says of scenarios under the version that
is in force and under the draft, and where the two differ. Pure."""

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
    """A text to be judged. `known` is what people say of it (or whoever gave it), None where nobody
    did. `item_id` and `roots` are those of an item of the pool, empty for a text that was given."""

    text: str
    why: ScenarioReason = ScenarioReason.GIVEN
    known: tuple[str, ...] | None = None
    item_id: str = ""
    roots: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A scenario with what is said of it under the version compared with, and under the draft."""

    scenario: Scenario
    before: Judgement | Problem
    after: Judgement | Problem

    @property
    def answered(self) -> bool:
        """Whether both versions have a judgement."""
        return isinstance(self.before, Judgement) and isinstance(self.after, Judgement)

    @property
    def changes(self) -> bool:
        """Whether the draft says other labels than the version compared with."""
        return self.answered and judged_labels(self.before) != judged_labels(self.after)

    @property
    def contradicts(self) -> bool:
        """Whether the draft says other labels than are known."""
        return self._differs(self.after)

    @property
    def contradicted(self) -> bool:
        """Whether the version compared with does so."""
        return self._differs(self.before)

    def _differs(self, said: Judgement | Problem) -> bool:
        known = self.scenario.known
        return known is not None and isinstance(said, Judgement) and judged_labels(said) != {*known}


@dataclass(frozen=True, slots=True)
class Trial:
    """A draft that was tried against the version `against`, on scenarios in a fixed order.

    The same question has the same id, so a second run of it, which may have more answers, takes
    the place of the first. `stopped` says why some answers are missing, None where none are.
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
    """What somebody says of a scenario, which goes by its number in the trial, from 1."""

    scenario: int
    by: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class LabelTotal:
    """In how many answered scenarios a label is said under either version; how many gain and lose
    it by the draft."""

    label: str
    before: int
    after: int
    gained: int
    lost: int


def trial_id(draft: Policy, against: Policy, model: str, scenarios: Iterable[Scenario]) -> str:
    """8 hex digits over all that is asked."""
    parts = [draft.id, against.id, model, *(scenario.text for scenario in scenarios)]
    whole = "\x1f".join(parts).encode("utf-8", "surrogatepass")
    return blake2b(whole, digest_size=4).hexdigest()


def judged_labels(said: Judgement | Problem) -> set[str]:
    """The labels of a judgement; none where there is none."""
    return {*said.labels} if isinstance(said, Judgement) else set()


def sort_cases(cases: Iterable[Case]) -> list[tuple[int, Case]]:
    """(number, case): what changes first, then what contradicts, then what is not answered."""

    def place(numbered: tuple[int, Case]) -> tuple[bool, bool, bool, int]:
        number, case = numbered
        return not case.changes, not case.contradicts, case.answered, number

    return sorted(enumerate(cases, start=1), key=place)


def label_totals(cases: Iterable[Case], choices: Sequence[str]) -> list[LabelTotal]:
    """What changes by label, for the labels that are said at all."""
    both = [
        (judged_labels(case.before), judged_labels(case.after)) for case in cases if case.answered
    ]
    found = [
        LabelTotal(
            label,
            sum(label in before for before, _ in both),
            sum(label in after for _, after in both),
            sum(label in after - before for before, after in both),
            sum(label in before - after for before, after in both),
        )
        for label in choices
    ]
    return [total for total in found if total.before or total.after]


def labels_to_re_ask(cases: Iterable[Case]) -> dict[str, int]:
    """The labels by which to ask people again, so that every labelled item is among those that the
    draft contradicts, each with how many of them carry it.

    Of such an item it is what the draft takes away, or all that it carries where the draft only
    adds to it.
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
    """(pool row, why) of up to n scenarios, one per text; each kind comes in its order.

    A quarter are items on which votes differ, with other labelled ones they make a half, and the
    rest is not labelled; what one kind lacks, the others fill. `hashes` are by pool row.
    """
    chosen: dict[str, tuple[int, ScenarioReason]] = {}

    def take(rows: Rows, why: ScenarioReason, most: int) -> None:
        for row in rows:
            if len(chosen) >= most:
                return
            chosen.setdefault(str(hashes[row]), (int(row), why))

    take(differ, ScenarioReason.DIFFER, n // 4)
    take(*labelled, n // 2)
    take(*unlabelled, n)
    take(differ, ScenarioReason.DIFFER, n)
    take(*labelled, n)
    return list(chosen.values())
