"""Rounds: how far each has come."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from biasloop.domain.batch import Selection
from biasloop.domain.round import FINISHED, Round

Facts = Mapping[str, Any]
"""What a step recorded in the ledger, unchanged."""


@dataclass(frozen=True, slots=True)
class RoundReport:
    """A round, and how many of the items that it asked about are answered."""

    id: int
    state: str
    step: str | None
    waits_for: str | None
    error: str | None
    attempts: int
    retry_at: datetime | None
    opened_at: datetime
    closed_at: datetime | None
    over: bool
    asked: int
    answered: int
    arms: Mapping[str, int]
    facts: Facts


def report_rounds(
    rounds: Iterable[Round], selections: Iterable[tuple[int, Selection]], done: Collection[str]
) -> list[RoundReport]:
    """Reports of these rounds; `done` are the ids of the items that are answered."""
    batches: dict[int, list[Selection]] = defaultdict(list)
    asked_last: dict[str, int] = {}  # an item of a cancelled round may be chosen again
    for round_id, selection in selections:
        batches[round_id].append(selection)
        asked_last[selection.item_id] = round_id
    return [
        _round(round_, batches[round_.id], {i for i in done if asked_last.get(i) == round_.id})
        for round_ in rounds
    ]


def _round(round_: Round, batch: Sequence[Selection], done: Collection[str]) -> RoundReport:
    return RoundReport(
        id=round_.id,
        state=str(round_.state),
        step=round_.step,
        waits_for=round_.waits_for,
        error=round_.error,
        attempts=round_.attempts,
        retry_at=round_.retry_at,
        opened_at=round_.opened_at,
        closed_at=round_.closed_at,
        over=round_.state in FINISHED,
        asked=len(batch),
        answered=sum(selection.item_id in done for selection in batch),
        arms=dict(Counter(str(selection.arm) for selection in batch)),
        facts=dict(round_.facts),
    )
