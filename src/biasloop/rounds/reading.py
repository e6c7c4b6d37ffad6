"""Reads one annotation of Label Studio as a fact for the ledger: vote, skip, or set aside. Pure.

What the ledger recorded first outweighs what Label Studio says now: which annotation it is, who
made it, and which item with which text its task was sent for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import BY_POLICY, SLIPS, AsideReason, LabelSource
from biasloop.domain.policy import PolicyAt
from biasloop.domain.task import RawAnnotation, TaskState
from biasloop.labelstudio.label_config import LabelConfig
from biasloop.labelstudio.tasks import chosen, same_words

Records = Mapping[str, Annotation]
"""What the ledger knows, by key."""

PROVENANCE = (
    AsideReason.PREDICTION,
    AsideReason.NOT_BY_A_PERSON,
    AsideReason.OTHER_ITEM,
    AsideReason.SECOND_TASK,
    AsideReason.OTHER_TEXT,
)
"""Reasons that say who made an answer or on which task, and nothing of its content."""

ANSWERS = (Standing.VOTE, Standing.SKIP)

SHARED_AUTHOR = "deleted account"
"""In ledgers of earlier versions, the one author of all annotations whose accounts were deleted."""


def identify_tasks(
    tasks: Sequence[TaskState],
    items: Mapping[int, Sequence[str]],
    sent: Mapping[str, int],
    texts: Mapping[str, str],
) -> list[TaskState]:
    """The tasks with the items that they were sent for, whatever they say now.

    `items` are the ledger's item ids by task id, oldest first, `sent` the newest task of each item,
    `texts` the text of each item that is known. A task that the ledger does not know yet is
    believed, unless its item has another one.
    """
    return [
        _identify(task, items, sent, texts)
        for task in tasks
        if task.item_id or task.task_id in items
    ]


def _identify(
    task: TaskState,
    items: Mapping[int, Sequence[str]],
    sent: Mapping[str, int],
    texts: Mapping[str, str],
) -> TaskState:
    own = items.get(task.task_id, ())
    if not own:
        second = task.item_id in sent
        return replace(task, not_counted=AsideReason.SECOND_TASK) if second else task
    item_id = task.item_id
    if item_id in own:
        edited = item_id in texts and not same_words(task.text, texts[item_id])
        return replace(task, not_counted=AsideReason.OTHER_TEXT) if edited else task
    item_id = own[-1]
    return replace(
        task,
        item_id=item_id,
        annotations=[replace(raw, item_id=item_id) for raw in task.annotations],
        not_counted=AsideReason.OTHER_ITEM,
    )


def key_of(raw: RawAnnotation, records: Records) -> str:
    """The key of an annotation in the ledger. A restored database gives ids again, so an annotation
    created later than the one that the ledger has under that id, or on another task, is a different
    one."""
    key = f"ls:{raw.id}"
    before = records.get(key)
    if before is None or raw.created_at is None:
        return key
    key_of_another = f"{key}@{raw.created_at:%Y-%m-%dT%H:%M:%S.%f}"
    if key_of_another in records:  # also after the first one was deleted, later than this was made
        return key_of_another
    same = raw.created_at <= before.at and raw.task_id == before.task_id
    return key if same else key_of_another


def has_id_of_another(raw: RawAnnotation, records: Records) -> bool:
    """Whether the ledger has another answer under its id, and that one counts. Label Studio must
    then have lost that one: only an older copy of its database gives ids again."""
    before = records.get(f"ls:{raw.id}")
    counts = before is not None and before.standing in ANSWERS and not before.kept
    return counts and key_of(raw, records) != f"ls:{raw.id}"


def read_task(
    task: TaskState, records: Records, config: LabelConfig, policy_at: PolicyAt
) -> list[Annotation]:
    """The annotations of a task as they are to be recorded, oldest first."""
    annotations = []
    for raw in sorted(task.annotations, key=lambda raw: raw.id):
        key = key_of(raw, records)
        before = records.get(key)
        known = replace(
            raw,
            annotator=_author(raw, before),
            not_counted=task.not_counted or raw.not_counted,
        )
        read = replace(read_annotation(known, config, policy_at(raw.updated_at)), key=key)
        annotations.append(before if before and _ledger_version_stays(before, read) else read)
    return annotations


def read_annotation(raw: RawAnnotation, config: LabelConfig, policy_id: str) -> Annotation:
    """A Label Studio annotation as the ledger's: a vote, a skip, or set aside with a reason."""
    labels = tuple(map(config.scheme.current_name, chosen(raw.result, config.choices)))
    reason = raw.not_counted or (None if raw.skipped else _reason_by_labels(labels, config))
    standing = Standing.ASIDE if reason else Standing.SKIP if raw.skipped else Standing.VOTE
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


def _reason_by_labels(labels: Sequence[str], config: LabelConfig) -> AsideReason | None:
    if not labels and config.scheme.blank_means_none:
        return None
    return config.scheme.reason_to_set_aside(labels)


def _author(raw: RawAnnotation, before: Annotation | None) -> str:
    """Who made it, as first recorded. Nobody knows whether two unknown authors are one person, so
    each has a name of its own."""
    if before and before.annotator != SHARED_AUTHOR:
        return before.annotator
    return raw.annotator or f"unknown author of annotation {raw.id}"


def _ledger_version_stays(before: Annotation, read: Annotation) -> bool:
    """Whether the ledger's version stays although it would be read otherwise now: its author has
    not touched it since, and what has changed is the guideline, the labels or the task, an earlier
    version of biasloop did not ask who or what made it, or Label Studio has an older copy."""
    if read.at > before.at:
        return False
    if before.reason in (*BY_POLICY, AsideReason.OTHER_TEXT):
        return True  # another text was judged, even if the task shows the right one again
    other_reading = read.reason in PROVENANCE or set(before.asked) != set(read.asked)
    return before.standing in ANSWERS and (read.at < before.at or other_reading)


def is_slip(annotation: Annotation | None) -> bool:
    """Whether its author is asked again because of what it says."""
    return (
        annotation is not None
        and annotation.standing is Standing.ASIDE
        and annotation.reason in SLIPS
    )
