"""What tasks of Label Studio show next to what the ledger knows, added up as they come. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from biasloop.domain.annotation import Annotation
from biasloop.domain.task import TaskState
from biasloop.rounds.compare import missing_answers, records_of
from biasloop.rounds.reading import has_id_of_another, key_of


@dataclass(frozen=True, slots=True)
class LastRead:
    """How far the last complete poll got: the time of the newest change, and the task changed."""

    cursor: datetime
    witness: int | None
    trusted: bool = True
    """Whether later changes have later times: False after the clock was set back."""

    def precedes(self, changed_at: datetime) -> bool:
        """Whether something that was changed at that time was changed since."""
        return changed_at > self.cursor or not self.trusted


@dataclass
class Summary:
    """`tasks` are the ids of the tasks read, with their items; `present` the keys of their
    annotations; `missing` the answers that the ledger knows on them and Label Studio does not have,
    by key; `with_missing` the tasks that lack them; `unreadable` the items of tasks that cannot be
    read, by task id; `changed_at` when each task was changed last; `newest` the task changed last;
    `last` what was read before.

    `shows_older_copy`: an answer or its task shows that this is an older copy of the database than
    the one that was read before.
    """

    last: LastRead | None = None
    tasks: dict[int, str] = field(default_factory=dict)
    present: set[str] = field(default_factory=set)
    missing: dict[str, Annotation] = field(default_factory=dict)
    with_missing: dict[int, TaskState] = field(default_factory=dict)
    unreadable: dict[int, str] = field(default_factory=dict)
    changed_at: dict[int, datetime] = field(default_factory=dict)
    newest: TaskState | None = None
    shows_older_copy: bool = False

    def add(self, tasks: Sequence[TaskState], known: Sequence[Annotation]) -> None:
        """Adds tasks that were sent by us; `known` are the ledger's annotations of their items."""
        records = records_of(known)
        missing = missing_answers(tasks, records)
        lacking = {answer.task_id for answer in missing}
        self.changed_at |= {task.task_id: task.updated_at for task in tasks}
        self.shows_older_copy |= any(self._task_is_older_than(answer) for answer in missing) or any(
            has_id_of_another(raw, records) for task in tasks for raw in task.annotations
        )
        self.missing |= {answer.key: answer for answer in missing}
        self.tasks |= {task.task_id: task.item_id for task in tasks}
        self.present |= {key_of(raw, records) for task in tasks for raw in task.annotations}
        self.with_missing |= {task.task_id: task for task in tasks if task.task_id in lacking}
        self.unreadable |= {task.task_id: task.item_id for task in tasks if task.unreadable}

    def note_time(self, task: TaskState) -> None:
        """Remembers the task changed last, whether or not we sent it."""
        if self.newest is None or task.updated_at >= self.newest.updated_at:
            self.newest = task

    def may_be_older_copy(self) -> bool:
        """Whether this may be an older copy of the database than the one that was read last: the
        task that was changed last is gone, as it was before, or without its answers, or there is
        another sign of it."""
        witness = self.last and self.last.witness
        return witness is not None and (self.is_older_copy() or witness in self.with_missing)

    def is_older_copy(self) -> bool:
        """Whether it is one for certain, whichever answers are missing."""
        return self.shows_older_copy or self._witness_is_gone()

    def _witness_is_gone(self) -> bool:
        last = self.last
        if last is None or last.witness is None:
            return False
        changed_at = self.changed_at.get(last.witness)
        return changed_at is None or (last.trusted and changed_at < last.cursor)

    def _task_is_older_than(self, answer: Annotation) -> bool:
        """Whether the task of this missing answer was last changed before the answer was given, or
        before the end of the last poll, which still had it. Deleting an answer changes its task."""
        changed_at = self.changed_at[answer.task_id or 0]
        polled = self.last is not None and not self.last.precedes(changed_at)
        return answer.at > changed_at or polled

    def missing_among(
        self, answers: Iterable[Annotation], erased: set[str]
    ) -> dict[str, Annotation]:
        """After a reading of everything: which of all answers are gone, with their tasks or without
        them. Answers on erased items are not missed."""
        return {
            answer.key: answer
            for answer in answers
            if answer.key not in self.present
            and not answer.kept
            and answer.task_id not in self.unreadable
            and answer.item_id not in erased
        }
