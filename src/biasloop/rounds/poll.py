"""The poll: the only place where people's annotations enter the ledger (R4)."""

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
from biasloop.store.ledger import Ledger

CURSOR = "poll_cursor"
OVERLAP = timedelta(seconds=30)
"""Polls overlap: Label Studio's clock and its commits are not in one order."""
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
    """Brings what changed in Label Studio into the ledger; returns how many versions are new.

    Then it sees to it that tasks whose items lack votes are shown to people again. Repeatable at
    any moment, in any state of any round: an annotation that says the same as its current version
    adds nothing. The cursor moves only after everything up to it is written; one that lies after
    `now` is from before the clock was set back, and what came since lies behind it.
    """
    cursor = ledger.bookmark(CURSOR)
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
        ledger.set_bookmark(CURSOR, newest.isoformat())
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
    """Records what these tasks say now and asks for what they lack; returns how many versions are
    new. Somebody else's tasks in our project are left alone."""
    ours = [task for task in tasks if task.item_id]
    if not ours:
        return 0
    items = [task.item_id for task in ours]
    known, audit = ledger.annotations_on(items), ledger.audit_items(items)
    new = ledger.record(changed_annotations(ours, known, config, policy_at, plan, audit))
    _withdraw_doubles(ledger, ours, label_studio)
    back, overlaps = returns_and_overlaps(ours, ledger.annotations_on(items), plan, audit)
    for annotation in back:
        label_studio.give_back(annotation)
    for task_id, (overlap, done) in overlaps.items():
        label_studio.set_overlap(task_id, overlap, done=done)
    return new


def _withdraw_doubles(
    ledger: Ledger, tasks: Sequence[TaskState], label_studio: LabelStudio
) -> None:
    """Label Studio may commit an import long after it was given up and sent again: of an item's
    tasks the one that the ledger knows stays, or the first if that is gone. What somebody has
    labelled stays, too."""
    pushed = ledger.task_ids()
    suspects = [
        task
        for task in tasks
        if pushed.get(task.item_id, task.task_id) != task.task_id and not task.annotations
    ]
    if suspects:
        there = label_studio.task_ids([task.item_id for task in suspects])
        keep = {i: pushed[i] if pushed[i] in ids else ids[0] for i, ids in there.items()}
        label_studio.withdraw([t.task_id for t in suspects if t.task_id != keep.get(t.item_id)])


def changed_annotations(
    tasks: Sequence[TaskState],
    known: Sequence[Annotation],
    config: LabelConfig,
    policy_at: PolicyAt,
    plan: VotePlan,
    audit: Collection[str],
) -> list[Annotation]:
    """What the ledger must append so that it says of these tasks what Label Studio says. Pure.

    `known` is what the ledger says of their items, `audit` the ids of the audit items among them.
    """
    looked_at = {task.task_id: task.updated_at for task in tasks}
    before = {a.key: a for a in known if a.source is LabelSource.HUMAN and a.task_id is not None}
    read: dict[str, list[Annotation]] = defaultdict(list)
    for task in tasks:
        for raw in sorted(task.annotations, key=lambda raw: raw.id):
            new = read_annotation(raw, task.text, config, policy_at(raw.updated_at))
            read[task.item_id].append(_unless_retired(new, before.get(new.key)))
    news = []
    for item_id, said in read.items():
        elsewhere = [
            a
            for a in before.values()
            if a.item_id == item_id and a.standing is Standing.VOTE and a.task_id not in looked_at
        ]
        for new in settle_votes(said, plan, item_id in audit, elsewhere):
            old = before.pop(new.key, None)
            if old is None or not new.has_same_content(old):
                news.append(new)
    # What was set aside counts no less when it is gone: it stays on record with its reason.
    lost = (Standing.VOTE, Standing.SKIP)
    for gone in before.values():
        if gone.standing in lost and gone.task_id in looked_at:
            news.append(_deleted(gone, looked_at[gone.task_id]))
    return news


def _unless_retired(new: Annotation, old: Annotation | None) -> Annotation:
    """What was set aside with an older guideline stays so until its author answers anew."""
    if old is None or old.reason not in BY_POLICY or new.at > old.at:
        return new
    return old


def returns_and_overlaps(
    tasks: Sequence[TaskState],
    known: Sequence[Annotation],
    plan: VotePlan,
    audit: Collection[str],
) -> tuple[list[RawAnnotation], dict[int, tuple[int, bool]]]:
    """What Label Studio must do so that the items that lack votes get them. Pure.

    Which annotations to give back to their authors, who can mend them; and by task the overlap
    that it shall have, and whether it is done. One vote more is asked for at a time, and never
    before the first: until then an audit task is like every other.
    """
    current = {a.key: a for a in known}
    votes: dict[str, list[Collection[str]]] = defaultdict(list)
    for found in known:
        if uses_up_vote(found) and found.task_id is not None:
            votes[found.item_id].append(found.labels)
    back: list[RawAnnotation] = []
    overlaps: dict[int, tuple[int, bool]] = {}
    for task in tasks:
        answers = [raw for raw in task.annotations if not raw.skipped]
        missing = plan.votes_missing(task.item_id in audit, votes[task.item_id])
        returned = [raw for raw in answers if missing and _mendable(current, raw)]
        back += returned
        overlap = max(1, len(answers) - len(returned) + bool(missing))
        if overlap > task.overlap if missing else overlap < task.overlap:
            overlaps[task.task_id] = (overlap, not missing)
    return back, overlaps


def _mendable(current: Mapping[str, Annotation], raw: RawAnnotation) -> bool:
    found = current.get(_key(raw))
    return (
        found is not None and found.standing is Standing.ASIDE and AsideReason(found.reason).fixable
    )


def read_annotation(
    raw: RawAnnotation, text: str, config: LabelConfig, policy_id: str
) -> Annotation:
    """A Label Studio annotation of a text as a fact: a vote, a skip, or set aside with a reason."""
    labels = chosen(raw.result, config.choices)
    reason = None if raw.skipped else _aside(raw, labels, text, config)
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


def _aside(
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
