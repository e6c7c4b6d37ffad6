"""Writes what tasks of Label Studio say to the ledger; shows again those whose items lack votes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any

from biasloop.domain.annotation import Annotation
from biasloop.domain.policy import PolicyAt
from biasloop.domain.task import TaskState
from biasloop.domain.votes.vote import VotePlan
from biasloop.labelstudio.label_config import LabelConfig
from biasloop.ports import LabelStudio, Pool
from biasloop.rounds.compare import (
    changed_annotations,
    records_of,
    returns_and_overlaps,
)
from biasloop.rounds.losses import loss_question
from biasloop.rounds.reading import ANSWERS, identify_tasks
from biasloop.rounds.summary import LastRead, Summary
from biasloop.store.control import Bookmark
from biasloop.store.ledger import Ledger

CHUNK = 400
"""Tasks compared and written at a time."""


@dataclass
class Recorder:
    """Records what it reads as it comes, except for deletions. `new` counts the annotation versions
    that it wrote."""

    ledger: Ledger
    label_studio: LabelStudio
    pool: Pool
    config: LabelConfig
    policy_at: PolicyAt
    plan: VotePlan
    new: int = 0
    summary: Summary = field(default_factory=Summary)

    def read(self, tasks: Iterable[TaskState]) -> None:
        """Records what these tasks say, CHUNK of them at a time."""
        batch: list[TaskState] = []
        for task in tasks:
            batch.append(task)
            self.summary.note_time(task)
            if len(batch) == CHUNK:
                self._record(batch)
                batch = []
        self._record(batch)
        self._note_unreadable()

    def answers(self) -> list[Annotation]:
        """All votes and skips made in Label Studio that the ledger knows."""
        records = records_of(self.ledger.annotations()).values()
        return [record for record in records if record.standing in ANSWERS]

    def missing_anywhere(self) -> dict[str, Annotation]:
        """After a reading of everything: all answers that are gone."""
        return self.summary.missing_among(self.answers(), self.ledger.erased_items())

    def question(
        self, missing: Mapping[str, Annotation], *, older: bool | None = None
    ) -> dict[str, Any] | None:
        """What a person must decide about the answers that are missing; see `loss_question`. Once
        asked, the question stays while answers are gone: what shows an older copy may be gone by
        the next poll.

        After a reading of everything, `older` says whether this may be an older copy.
        """
        asked = self.ledger.control.bookmark(Bookmark.LOSSES) is not None
        certain = asked or self.summary.is_older_copy()
        if loss_question(len(missing), 0, certain=certain, older=older) is None:
            return None  # without counting all answers, as in nearly every poll
        return loss_question(len(missing), len(self.answers()), certain=certain, older=older)

    def record_deletions(self) -> None:
        """Records that the missing answers on the tasks read were deleted."""
        if self.summary.with_missing:
            self._record(list(self.summary.with_missing.values()), deletions=True)
            self.summary.with_missing.clear()

    def move_cursor(self) -> None:
        """Lets the next poll begin at the newest change read."""
        newest, control = self.summary.newest, self.ledger.control
        if newest is None:
            return
        for name, value in (
            (Bookmark.POLL_CURSOR, newest.updated_at.isoformat()),
            (Bookmark.POLL_WITNESS, newest.task_id),
        ):
            if control.bookmark(name) != value:
                control.set_bookmark(name, value)

    def _record(self, tasks: Sequence[TaskState], *, deletions: bool = False) -> None:
        ledger = self.ledger
        sent = ledger.task_ids()
        items_by_task = ledger.items_of([task.task_id for task in tasks])
        texts = _sent_texts(self.pool, sorted(set(chain.from_iterable(items_by_task.values()))))
        ours = identify_tasks(tasks, items_by_task, sent, texts)
        if not ours:
            return
        items = [task.item_id for task in ours]
        ids = [f"ls:{raw.id}" for task in ours for raw in task.annotations]
        known, audit = ledger.annotations_on(items, ids), ledger.audit_items(items)
        self.summary.add(ours, known)
        changed = changed_annotations(
            ours, known, self.config, self.policy_at, self.plan, audit, deletions=deletions
        )
        self.new += ledger.record(changed)
        _withdraw_doubles(sent, ours, self.label_studio)
        self._ask_for_votes(ours, ledger.annotations_on(items, ids), audit)

    def _ask_for_votes(
        self, tasks: Sequence[TaskState], known: Sequence[Annotation], audit: Collection[str]
    ) -> None:
        """Shows tasks again whose items lack votes; see `returns_and_overlaps`."""
        returns, overlaps = returns_and_overlaps(tasks, known, self.plan, audit)
        for annotation in returns:
            self.label_studio.give_back(annotation)
        for task_id, (overlap, done) in overlaps.items():
            self.label_studio.set_overlap(task_id, overlap, done=done)

    def _note_unreadable(self) -> None:
        control, summary = self.ledger.control, self.summary
        before = control.bookmark(Bookmark.UNREADABLE) or {}
        still = {task: item for task, item in before.items() if int(task) not in summary.tasks}
        now = still | {str(task): item for task, item in summary.unreadable.items()}
        if now != before:
            control.set_bookmark(Bookmark.UNREADABLE, now)


def last_read(ledger: Ledger, now: datetime) -> LastRead | None:
    """How far polls got, from the ledger; None before the first one."""
    cursor = ledger.control.bookmark(Bookmark.POLL_CURSOR)
    if cursor is None:
        return None
    moment = datetime.fromisoformat(cursor)
    return LastRead(moment, ledger.control.bookmark(Bookmark.POLL_WITNESS), moment <= now)


def _sent_texts(pool: Pool, item_ids: Sequence[str]) -> dict[str, str]:
    """The text that each item was sent with; not of items that the pool lacks, or has erased."""
    if not item_ids:
        return {}
    rows = pool.rows_of(item_ids)
    texts = iter(pool.texts(rows[rows >= 0]))
    by_item = {item: next(texts) for item, row in zip(item_ids, rows, strict=True) if row >= 0}
    return {item: text for item, text in by_item.items() if text}


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
