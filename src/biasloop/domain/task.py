"""Tasks of Label Studio and their annotations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from biasloop.domain.label import AsideReason
from biasloop.domain.writing.judgement import Judgement


@dataclass(frozen=True, slots=True)
class PushedTask:
    """Records that an item is a task in Label Studio."""

    item_id: str
    task_id: int


@dataclass(frozen=True, slots=True)
class LabelTask:
    """An item as annotators see it. Nothing in it reveals the arm."""

    item_id: str
    text: str
    context: str
    round: int
    prelabel: Judgement | None = None
    """A suggested answer that annotators see and may change."""


@dataclass(frozen=True, slots=True)
class RawAnnotation:
    """An annotation as Label Studio stores it. `result` is its unchanged JSON.

    `annotator` is "" if Label Studio no longer knows who made it. `not_counted` says why it cannot
    be what a person answered (None: it can). `created_at` never changes, unlike the id, which a
    database that was restored gives again.
    """

    id: int
    task_id: int
    item_id: str
    annotator: str
    skipped: bool
    result: Sequence[Mapping[str, Any]]
    updated_at: datetime
    seconds: float | None
    created_at: datetime | None = None
    not_counted: AsideReason | None = None


@dataclass(frozen=True, slots=True)
class TaskState:
    """A task that has changed, with all its current annotations (none if all were deleted).

    `text` is what annotators see. Once the task has `overlap` annotations, Label Studio no longer
    shows it to anyone; it is then `done`. An `unreadable` task has annotations that Label Studio
    cannot tell. `not_counted` says why no answer on it counts (None: they do).
    """

    task_id: int
    item_id: str
    updated_at: datetime
    annotations: Sequence[RawAnnotation]
    text: str
    overlap: int
    done: bool = False
    unreadable: bool = False
    not_counted: AsideReason | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """An annotator's account in Label Studio; `new` if it was just created."""

    id: int
    email: str
    new: bool = False
