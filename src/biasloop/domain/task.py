"""A task of Label Studio, and what stands in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from biasloop.domain.writing.judgement import Judgement


@dataclass(frozen=True, slots=True)
class PushedTask:
    """The item is a task in Label Studio."""

    item_id: str
    task_id: int


@dataclass(frozen=True, slots=True)
class LabelTask:
    """What is pushed: one item as annotators see it. Nothing in it tells the arm."""

    item_id: str
    text: str
    context: str
    round: int
    prelabel: Judgement | None = None
    """A first answer that annotators see, and may change."""


@dataclass(frozen=True, slots=True)
class RawAnnotation:
    """An annotation as Label Studio has it. `result` is its JSON, untouched."""

    id: int
    task_id: int
    item_id: str
    annotator: str
    skipped: bool
    result: Sequence[Mapping[str, Any]]
    updated_at: datetime
    seconds: float | None


@dataclass(frozen=True, slots=True)
class TaskState:
    """A task that changed, with all the annotations that it has now (none: all were deleted).

    `text` is what people see; `overlap` the number of annotations at which Label Studio shows the
    task to nobody any more.
    """

    task_id: int
    item_id: str
    updated_at: datetime
    annotations: Sequence[RawAnnotation]
    text: str
    overlap: int


@dataclass(frozen=True, slots=True)
class Account:
    """An annotator's account in Label Studio; `new` when it was made just now."""

    id: int
    email: str
    new: bool = False
