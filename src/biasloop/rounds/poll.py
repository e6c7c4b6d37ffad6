"""The poll: the only place where annotations from Label Studio enter the ledger (R4)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from biasloop.domain.annotation import Annotation
from biasloop.domain.policy import PolicyAt
from biasloop.domain.round import State
from biasloop.domain.task import TaskState
from biasloop.domain.votes.vote import VotePlan
from biasloop.labelstudio.label_config import LabelConfig
from biasloop.ports import LabelStudio
from biasloop.rounds.compare import (
    changed_annotations,
    missing_answers,
    records_of,
    returns_and_overlaps,
)
from biasloop.rounds.losses import is_question
from biasloop.rounds.reading import ANSWERS, has_id_of_another, identify_tasks, key_of
from biasloop.store.control import Bookmark
from biasloop.store.ledger import Ledger

OVERLAP = timedelta(seconds=30)
"""How far a poll reads back before the cursor: Label Studio may commit changes in another order
than that of their times."""
CHUNK = 400
"""Tasks compared and written at a time."""


def poll(
    ledger: Ledger,
    label_studio: LabelStudio,
    config: LabelConfig,
    policy_at: PolicyAt,
    plan: VotePlan,
    now: datetime,
) -> int:
    """Writes what changed in Label Studio to the ledger; returns the number of new versions.

    Tasks whose items lack votes are then shown to annotators again. May run at any moment, in any
    state of any round: an annotation that says the same as its current version adds nothing. The
    cursor moves only after everything up to it is written. A cursor later than `now` dates from
    before the clock was set back; the poll then starts from `now`, so that it misses nothing.

    When Label Studio's database may be an older copy, everything is compared once. Answers that are
    gone with it, and many gone at once, go on counting, and the cursor stays, until all are back or
    somebody decides (`reconcile`). That answers are back which only a comparison of everything had
    missed is noticed by the next `reconcile`.
    """
    control = ledger.control
    held = control.bookmark(Bookmark.LOSSES)
    reading = Reading(ledger, label_studio, config, policy_at, plan, last_read(ledger, now))
    since = min(reading.last.cursor, now) - OVERLAP if reading.last else None
    reading.read(label_studio.changed_since(since))
    older = reading.may_be_older()
    if older != bool(held and held["older"]):
        reading.read(label_studio.changed_since(None))
        question = reading.question(reading.missing_anywhere(), older=older)
    elif held and held["everywhere"]:
        question = held
    else:
        question = reading.question(reading.missing)
    if question is None:
        reading.record_deletions()
        reading.move_cursor()
    if question != held:
        control.set_bookmark(Bookmark.LOSSES, question)
    if reading.new:
        ledger.rounds.wake(State.PUSHED)
    return reading.new


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


def last_read(ledger: Ledger, now: datetime) -> LastRead | None:
    """From the ledger; None before the first poll."""
    cursor = ledger.control.bookmark(Bookmark.POLL_CURSOR)
    if cursor is None:
        return None
    moment = datetime.fromisoformat(cursor)
    return LastRead(moment, ledger.control.bookmark(Bookmark.POLL_WITNESS), moment <= now)


@dataclass
class Reading:
    """What has been read from Label Studio, recorded as it comes except for deletions.

    `tasks` are the ids of the tasks read, `present` the keys of their annotations, `missing` the
    answers that the ledger knows on them and Label Studio does not have.
    """

    ledger: Ledger
    label_studio: LabelStudio
    config: LabelConfig
    policy_at: PolicyAt
    plan: VotePlan
    last: LastRead | None = None
    new: int = 0
    tasks: dict[int, str] = field(default_factory=dict)
    present: set[str] = field(default_factory=set)
    missing: dict[str, Annotation] = field(default_factory=dict)
    _with_missing: dict[int, TaskState] = field(default_factory=dict)
    _unreadable: dict[int, str] = field(default_factory=dict)
    _changed_at: dict[int, datetime] = field(default_factory=dict)
    _newest: TaskState | None = None
    _behind: bool = False

    def read(self, tasks: Iterable[TaskState]) -> None:
        """Records what these tasks say, some at a time."""
        batch: list[TaskState] = []
        for task in tasks:
            batch.append(task)
            if self._newest is None or task.updated_at >= self._newest.updated_at:
                self._newest = task
            if len(batch) == CHUNK:
                self._record(batch)
                batch = []
        self._record(batch)
        self._note_unreadable()

    def may_be_older(self) -> bool:
        """Whether this may be an older copy of the database than the one that was read last: the
        task that was changed last is gone, as it was before, or without its answers, or there is
        another sign of it."""
        witness = self.last and self.last.witness
        return witness is not None and (
            self._behind or self._witness_is_gone() or witness in self._with_missing
        )

    def _witness_is_gone(self) -> bool:
        last = self.last
        if last is None or last.witness is None:
            return False
        changed_at = self._changed_at.get(last.witness)
        return changed_at is None or (last.trusted and changed_at < last.cursor)

    def missing_anywhere(self) -> dict[str, Annotation]:
        """After a reading of everything: all answers that are gone, also with their tasks, except
        those on items that were taken down."""
        erased = self.ledger.erased_items()
        return {
            answer.key: answer
            for answer in self.answers()
            if answer.key not in self.present
            and not answer.kept
            and answer.task_id not in self._unreadable
            and answer.item_id not in erased
        }

    def answers(self) -> list[Annotation]:
        """All votes and skips made in Label Studio that the ledger knows."""
        records = records_of(self.ledger.annotations()).values()
        return [record for record in records if record.standing in ANSWERS]

    def question(
        self, missing: Mapping[str, Annotation], *, older: bool | None = None
    ) -> dict[str, Any] | None:
        """What a person must decide if so many answers are gone that it looks like an accident, or
        if this is an older copy of the database; None otherwise. Once asked, the question stays
        while answers are gone: what shows an older copy may be gone by the next poll.

        After a reading of everything, `older` says whether this may be an older copy.
        """
        if not missing:
            return None
        sure = self._behind or self._witness_is_gone() or self._held()
        if not (sure or is_question(len(missing), 0)):
            return None
        answers = len(self.answers())
        if not (sure or is_question(len(missing), answers)):
            return None
        return {
            "gone": len(missing),
            "of": answers,
            "older": bool(older),
            "everywhere": older is not None,
        }

    def _held(self) -> bool:
        return self.ledger.control.bookmark(Bookmark.LOSSES) is not None

    def record_deletions(self) -> None:
        """Records that the missing answers on the tasks read were deleted."""
        if self._with_missing:
            self._record(list(self._with_missing.values()), deletions=True)
            self._with_missing.clear()

    def move_cursor(self) -> None:
        """Lets the next poll begin at the newest change read."""
        if self._newest is None:
            return
        control = self.ledger.control
        for name, value in (
            (Bookmark.POLL_CURSOR, self._newest.updated_at.isoformat()),
            (Bookmark.POLL_WITNESS, self._newest.task_id),
        ):
            if control.bookmark(name) != value:
                control.set_bookmark(name, value)

    def _record(self, tasks: Sequence[TaskState], *, deletions: bool = False) -> None:
        ledger = self.ledger
        sent = ledger.task_ids()
        ours = identify_tasks(tasks, ledger.items_of([task.task_id for task in tasks]), sent)
        if not ours:
            return
        items = [task.item_id for task in ours]
        ids = [f"ls:{raw.id}" for task in ours for raw in task.annotations]
        known, audit = ledger.annotations_on(items, ids), ledger.audit_items(items)
        self._note(ours, known)
        changed = changed_annotations(
            ours, known, self.config, self.policy_at, self.plan, audit, deletions=deletions
        )
        self.new += ledger.record(changed)
        _withdraw_doubles(sent, ours, self.label_studio)
        known = ledger.annotations_on(items, ids)
        returns, overlaps = returns_and_overlaps(ours, known, self.plan, audit)
        for annotation in returns:
            self.label_studio.give_back(annotation)
        for task_id, (overlap, done) in overlaps.items():
            self.label_studio.set_overlap(task_id, overlap, done=done)

    def _note(self, tasks: Sequence[TaskState], known: Sequence[Annotation]) -> None:
        records = records_of(known)
        missing = missing_answers(tasks, records)
        on = {answer.task_id for answer in missing}
        self.missing |= {answer.key: answer for answer in missing}
        changed_at = {task.task_id: task.updated_at for task in tasks}
        self._changed_at |= changed_at
        self._behind |= any(
            self._is_from_before(answer, changed_at[answer.task_id or 0]) for answer in missing
        ) or any(has_id_of_another(raw, records) for task in tasks for raw in task.annotations)
        self.tasks |= {task.task_id: task.item_id for task in tasks}
        self.present |= {key_of(raw, records) for task in tasks for raw in task.annotations}
        self._with_missing |= {task.task_id: task for task in tasks if task.task_id in on}
        self._unreadable |= {task.task_id: task.item_id for task in tasks if task.unreadable}

    def _is_from_before(self, missing: Annotation, changed_at: datetime) -> bool:
        """Whether its task was last changed before it was given, or before the last poll ended,
        which had it. Deleting an answer changes its task."""
        polled = self.last is not None and not self.last.precedes(changed_at)
        return missing.at > changed_at or polled

    def _note_unreadable(self) -> None:
        control = self.ledger.control
        before = control.bookmark(Bookmark.UNREADABLE) or {}
        still = {task: item for task, item in before.items() if int(task) not in self.tasks}
        now = still | {str(task): item for task, item in self._unreadable.items()}
        if now != before:
            control.set_bookmark(Bookmark.UNREADABLE, now)


def _withdraw_doubles(
    sent: dict[str, int], tasks: Sequence[TaskState], label_studio: LabelStudio
) -> None:
    """Withdraws duplicate tasks: Label Studio may commit an import long after it timed out and was
    sent again. Of an item's tasks the one in the ledger stays, or the first if that is gone; so do
    tasks with annotations."""
    suspects = [
        task
        for task in tasks
        if sent.get(task.item_id, task.task_id) != task.task_id
        and not task.annotations
        and not task.unreadable
    ]
    if suspects:
        tasks_by_item = label_studio.task_ids([task.item_id for task in suspects])
        kept_task = {i: sent[i] if sent[i] in ids else ids[0] for i, ids in tasks_by_item.items()}
        label_studio.withdraw(
            [t.task_id for t in suspects if t.task_id != kept_task.get(t.item_id)]
        )
