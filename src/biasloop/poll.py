"""The poll: the only place where people's annotations enter the ledger (R4)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import LabelSource
from biasloop.domain.round import State
from biasloop.labelstudio.config import LabelConfig
from biasloop.labelstudio.tasks import chosen
from biasloop.ports import LabelStudio, RawAnnotation, TaskState
from biasloop.store.ledger import Ledger

CURSOR = "poll_cursor"
OVERLAP = timedelta(seconds=30)
"""Polls overlap: Label Studio's clock and its commits are not in one order."""
CHUNK = 400
"""Tasks compared and written at a time."""


def poll(ledger: Ledger, label_studio: LabelStudio, config: LabelConfig, policy_id: str) -> int:
    """Brings what changed in Label Studio into the ledger; returns how many versions are new.

    Repeatable at any moment, in any state of any round: an annotation that says the same as its
    current version adds nothing. The cursor moves only after everything up to it is written.
    """
    cursor = ledger.bookmark(CURSOR)
    since = datetime.fromisoformat(cursor) - OVERLAP if cursor else None
    new, newest, batch = 0, None, []
    for task in label_studio.changed_since(since):
        batch.append(task)
        newest = max(newest or task.updated_at, task.updated_at)
        if len(batch) == CHUNK:
            new += _record(ledger, batch, config, policy_id)
            _withdraw_doubles(ledger, batch, label_studio)
            batch = []
    new += _record(ledger, batch, config, policy_id)
    _withdraw_doubles(ledger, batch, label_studio)
    if newest and newest.isoformat() != cursor:
        ledger.set_bookmark(CURSOR, newest.isoformat())
    if new:
        ledger.rounds.wake(State.PUSHED)
    return new


def _record(ledger: Ledger, tasks: Sequence[TaskState], config: LabelConfig, policy_id: str) -> int:
    if not tasks:
        return 0
    known = ledger.annotations_of([task.task_id for task in tasks])
    return ledger.record(changes(tasks, known, config, policy_id))


def _withdraw_doubles(
    ledger: Ledger, tasks: Sequence[TaskState], label_studio: LabelStudio
) -> None:
    """Label Studio may commit an import long after it was given up and sent again: of an item's
    tasks the first stays, unless somebody has labelled another, too."""
    pushed = ledger.task_ids()
    suspects = [
        task
        for task in tasks
        if pushed.get(task.item_id, task.task_id) != task.task_id and not task.annotations
    ]
    if suspects:
        first = label_studio.task_ids([task.item_id for task in suspects])
        label_studio.withdraw([t.task_id for t in suspects if first.get(t.item_id) != t.task_id])


def changes(
    tasks: Sequence[TaskState],
    known: Sequence[Annotation],
    config: LabelConfig,
    policy_id: str,
) -> list[Annotation]:
    """What the ledger must append so that it says of these tasks what Label Studio says. Pure."""
    current = {a.key: a for a in known if a.source is LabelSource.HUMAN}
    news = []
    for task in tasks:
        if not task.item_id:
            continue  # somebody else's task in our project
        for raw in task.annotations:
            new = read_annotation(raw, config, policy_id)
            old = current.pop(new.key, None)
            if old is None or not new.says_same(old):
                news.append(new)
    updated = {task.task_id: task.updated_at for task in tasks}
    for gone in current.values():
        if gone.standing is not Standing.DELETED and gone.task_id in updated:
            news.append(_deleted(gone, updated[gone.task_id]))
    return news


def read_annotation(raw: RawAnnotation, config: LabelConfig, policy_id: str) -> Annotation:
    """A Label Studio annotation as a fact: a vote, a skip, or set aside with a reason."""
    labels = chosen(raw.result, config.choices)
    reason = None if raw.skipped else config.scheme.aside(labels)
    standing = Standing.SKIP if raw.skipped else Standing.ASIDE if reason else Standing.VOTE
    others = [dict(r) for r in raw.result if r.get("from_name") != config.choices]
    return Annotation(
        key=f"ls:{raw.id}",
        item_id=raw.item_id,
        source=LabelSource.HUMAN,
        standing=standing,
        labels=labels,
        asked=config.scheme.labels,
        policy_id=policy_id,
        annotator=raw.annotator,
        at=raw.updated_at,
        reason=reason or "",
        seconds=raw.seconds,
        task_id=raw.task_id,
        extra={"result": others} if others else {},
    )


def _deleted(old: Annotation, at: datetime) -> Annotation:
    return Annotation(
        key=old.key,
        item_id=old.item_id,
        source=old.source,
        standing=Standing.DELETED,
        labels=(),
        asked=old.asked,
        policy_id=old.policy_id,
        annotator=old.annotator,
        at=at,
        task_id=old.task_id,
    )
