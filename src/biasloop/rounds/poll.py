"""The poll: the only place where annotations from Label Studio enter the ledger (R4)."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import BY_POLICY, AsideReason, LabelSource
from biasloop.domain.policy import PolicyAt
from biasloop.domain.round import State
from biasloop.domain.task import RawAnnotation, TaskState
from biasloop.domain.votes.vote import VotePlan, settle_votes, uses_up_vote
from biasloop.labelstudio.label_config import LabelConfig
from biasloop.labelstudio.tasks import chosen, spans
from biasloop.ports import LabelStudio
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
    """
    cursor = ledger.control.bookmark(Bookmark.POLL_CURSOR)
    since = min(datetime.fromisoformat(cursor), now) - OVERLAP if cursor else None
    new, newest, batch = 0, None, []

    for task in label_studio.changed_since(since):
        batch.append(task)
        newest = max(newest or task.updated_at, task.updated_at)
        if len(batch) == CHUNK:
            new += record_changes(ledger, label_studio, batch, config, policy_at, plan)
            batch = []
    new += record_changes(ledger, label_studio, batch, config, policy_at, plan)
    if newest and newest.isoformat() != cursor:
        ledger.control.set_bookmark(Bookmark.POLL_CURSOR, newest.isoformat())
    if new:
        ledger.rounds.wake(State.PUSHED)
    return new


def record_changes(
    ledger: Ledger,
    label_studio: LabelStudio,
    tasks: Sequence[TaskState],
    config: LabelConfig,
    policy_at: PolicyAt,
    plan: VotePlan,
) -> int:
    """Records the annotations of these tasks and asks Label Studio for the votes they lack.

    Returns the number of new versions. Tasks in our project that are not ours are left alone.
    """
    ours = [task for task in tasks if task.item_id]
    if not ours:
        return 0
    items = [task.item_id for task in ours]
    known, audit = ledger.annotations_on(items), ledger.audit_items(items)
    new = ledger.record(changed_annotations(ours, known, config, policy_at, plan, audit))
    _withdraw_doubles(ledger, ours, label_studio)
    returns, overlaps = returns_and_overlaps(ours, ledger.annotations_on(items), plan, audit)
    for annotation in returns:
        label_studio.give_back(annotation)
    for task_id, (overlap, done) in overlaps.items():
        label_studio.set_overlap(task_id, overlap, done=done)
    return new


def _withdraw_doubles(
    ledger: Ledger, tasks: Sequence[TaskState], label_studio: LabelStudio
) -> None:
    """Withdraws duplicate tasks: Label Studio may commit an import long after it timed out and was
    sent again. Of an item's tasks the one in the ledger stays, or the first if that is gone; so do
    tasks with annotations."""
    pushed = ledger.task_ids()
    suspects = [
        task
        for task in tasks
        if pushed.get(task.item_id, task.task_id) != task.task_id and not task.annotations
    ]
    if suspects:
        tasks_by_item = label_studio.task_ids([task.item_id for task in suspects])
        kept_task = {
            i: pushed[i] if pushed[i] in ids else ids[0] for i, ids in tasks_by_item.items()
        }
        label_studio.withdraw(
            [t.task_id for t in suspects if t.task_id != kept_task.get(t.item_id)]
        )


def changed_annotations(
    tasks: Sequence[TaskState],
    known: Sequence[Annotation],
    config: LabelConfig,
    policy_at: PolicyAt,
    plan: VotePlan,
    audit: Collection[str],
) -> list[Annotation]:
    """The annotation versions to append so that the ledger agrees with Label Studio on these tasks.
    Pure.

    `known` are the ledger's annotations of their items, `audit` the ids of the audit items among
    them.
    """
    updated_at = {task.task_id: task.updated_at for task in tasks}
    before = {
        annotation.key: annotation
        for annotation in known
        if annotation.source is LabelSource.HUMAN and annotation.task_id is not None
    }
    annotations: dict[str, list[Annotation]] = defaultdict(list)
    for task in tasks:
        for raw in sorted(task.annotations, key=lambda raw: raw.id):
            new = read_annotation(raw, task.text, config, policy_at(raw.updated_at))
            annotations[task.item_id].append(_apply_retirement(new, before.get(new.key)))
    changed = []
    for item_id, item_annotations in annotations.items():
        elsewhere = [
            annotation
            for annotation in before.values()
            if annotation.item_id == item_id
            and annotation.standing is Standing.VOTE
            and annotation.task_id not in updated_at
        ]
        for new in settle_votes(item_annotations, plan, item_id in audit, elsewhere):
            old = before.pop(new.key, None)
            if old is None or not new.has_same_content(old):
                changed.append(new)
    # An annotation that was set aside did not count anyway: it stays on record with its reason.
    lost = (Standing.VOTE, Standing.SKIP)
    for old in before.values():
        if old.standing in lost and old.task_id in updated_at:
            changed.append(_deleted(old, updated_at[old.task_id]))
    return changed


def _apply_retirement(new: Annotation, old: Annotation | None) -> Annotation:
    """A vote that was set aside with an older policy stays so until its author answers again."""
    if old is None or old.reason not in BY_POLICY or new.at > old.at:
        return new
    return old


def returns_and_overlaps(
    tasks: Sequence[TaskState],
    known: Sequence[Annotation],
    plan: VotePlan,
    audit: Collection[str],
) -> tuple[list[RawAnnotation], dict[int, tuple[int, bool]]]:
    """How items that lack votes get them: (annotations to return, overlaps to set). Pure.

    Annotations that their authors can correct go back to them. An overlap is (number of annotators
    who see the task, whether it is done), by task id. One more vote is requested at a time, and
    never before the first: until then an audit task is like any other.
    """
    current = {a.key: a for a in known}
    votes: dict[str, list[Collection[str]]] = defaultdict(list)
    for annotation in known:
        if uses_up_vote(annotation) and annotation.task_id is not None:
            votes[annotation.item_id].append(annotation.labels)
    returns: list[RawAnnotation] = []
    overlaps: dict[int, tuple[int, bool]] = {}
    for task in tasks:
        answers = [raw for raw in task.annotations if not raw.skipped]
        missing = plan.votes_missing(task.item_id in audit, votes[task.item_id])
        returned = [raw for raw in answers if missing and _is_correctable(current, raw)]
        returns += returned
        overlap = max(1, len(answers) - len(returned) + bool(missing))
        if overlap > task.overlap if missing else overlap < task.overlap:
            overlaps[task.task_id] = (overlap, not missing)
    return returns, overlaps


def _is_correctable(current: Mapping[str, Annotation], raw: RawAnnotation) -> bool:
    annotation = current.get(_key(raw))
    return (
        annotation is not None
        and annotation.standing is Standing.ASIDE
        and AsideReason(annotation.reason).fixable
    )


def read_annotation(
    raw: RawAnnotation, text: str, config: LabelConfig, policy_id: str
) -> Annotation:
    """Converts a Label Studio annotation: to a vote, a skip, or one set aside with a reason."""
    labels = chosen(raw.result, config.choices)
    reason = None if raw.skipped else _aside_reason(raw, labels, text, config)
    standing = Standing.SKIP if raw.skipped else Standing.ASIDE if reason else Standing.VOTE
    others = [dict(r) for r in raw.result if r.get("from_name") != config.choices]
    return Annotation(
        key=_key(raw),
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


def _aside_reason(
    raw: RawAnnotation, labels: Sequence[str], text: str, config: LabelConfig
) -> AsideReason | None:
    if reason := config.scheme.reason_to_set_aside(labels):
        return reason
    try:
        spans(raw.result, config.text, text)
    except ValueError:
        return AsideReason.BAD_SPAN
    return None


def _key(raw: RawAnnotation) -> str:
    return f"ls:{raw.id}"


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
