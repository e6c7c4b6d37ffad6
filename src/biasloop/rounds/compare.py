"""Compares tasks of Label Studio with the ledger: what to record, and what to ask again. Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import AsideReason, LabelSource
from biasloop.domain.policy import PolicyAt
from biasloop.domain.task import RawAnnotation, TaskState
from biasloop.domain.votes.vote import VotePlan, settle_votes, uses_up_vote
from biasloop.labelstudio.label_config import LabelConfig
from biasloop.rounds.reading import ANSWERS, Records, is_slip, key_of, read_task


def records_of(known: Iterable[Annotation]) -> dict[str, Annotation]:
    """The annotations that were made in Label Studio, by key."""
    return {
        annotation.key: annotation
        for annotation in known
        if annotation.source is LabelSource.HUMAN and annotation.task_id is not None
    }


def missing_answers(tasks: Sequence[TaskState], records: Records) -> list[Annotation]:
    """The answers that the ledger knows on these tasks and Label Studio no longer has. Those that
    somebody decided to keep are not missed."""
    read = {(task.task_id, task.item_id) for task in tasks if not task.unreadable}
    present = {key_of(raw, records) for task in tasks for raw in task.annotations}
    return [
        record
        for record in records.values()
        if record.standing in ANSWERS
        and (record.task_id, record.item_id) in read
        and record.key not in present
        and not record.kept
    ]


def changed_annotations(
    tasks: Sequence[TaskState],
    known: Sequence[Annotation],
    config: LabelConfig,
    policy_at: PolicyAt,
    plan: VotePlan,
    audit: Collection[str],
    *,
    deletions: bool = True,
) -> list[Annotation]:
    """The annotation versions to append so that the ledger agrees with Label Studio on these tasks.

    `known` are the ledger's annotations of their items and of the same ids, `audit` the ids of the
    audit items among them. Without `deletions`, answers that are missing go on counting.
    """
    records = records_of(known)
    deleted = missing_answers(tasks, records) if deletions else []
    gone = {annotation.key for annotation in deleted}
    votes: dict[str, list[Annotation]] = defaultdict(list)
    for record in records.values():
        if record.standing is Standing.VOTE:
            votes[record.item_id].append(record)
    read: dict[str, list[Annotation]] = defaultdict(list)
    for task in tasks:
        read[task.item_id] += read_task(task, records, config, policy_at)
    changed = []
    for item_id, annotations in read.items():
        present = {annotation.key for annotation in annotations}
        elsewhere = [vote for vote in votes[item_id] if vote.key not in present | gone]
        for new in settle_votes(annotations, plan, item_id in audit, elsewhere):
            old = records.get(new.key)
            if old is None or not new.has_same_content(old):
                changed.append(new)
    updated_at = {task.task_id: task.updated_at for task in tasks}
    # An annotation that was set aside did not count anyway: it stays on record with its reason.
    return changed + [_deleted(old, updated_at[old.task_id or 0]) for old in deleted]


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


def returns_and_overlaps(
    tasks: Sequence[TaskState],
    known: Sequence[Annotation],
    plan: VotePlan,
    audit: Collection[str],
) -> tuple[list[RawAnnotation], dict[int, tuple[int, bool]]]:
    """How items that lack votes get them: (annotations to return, overlaps to set).

    A slip goes back to its author, once for each item. An overlap is (number of annotators who see
    the task, whether it is done), by task id. One more vote is requested at a time, and never
    before the first: until then an audit task is like any other. A task without answers is shown if
    and only if its item lacks votes: answers may be kept that Label Studio has lost.
    """
    records = records_of(known)
    votes: dict[str, list[Collection[str]]] = defaultdict(list)
    slips: dict[str, list[Annotation]] = defaultdict(list)
    for record in records.values():
        if uses_up_vote(record):
            votes[record.item_id].append(record.labels)
        elif is_slip(record):
            slips[record.item_id].append(record)
    returns: list[RawAnnotation] = []
    overlaps: dict[int, tuple[int, bool]] = {}
    for task in tasks:
        if task.unreadable or task.not_counted:
            continue
        answers = [raw for raw in task.annotations if not raw.skipped]
        missing = plan.votes_missing(task.item_id in audit, votes[task.item_id])
        returned = _to_return(task, records, slips[task.item_id]) if missing else []
        returns += returned
        overlap = max(1, len(answers) - len(returned) + bool(missing))
        wrongly_shown = not task.annotations and task.done == bool(missing)
        differs = overlap > task.overlap if missing else overlap < task.overlap
        if wrongly_shown or differs:
            overlaps[task.task_id] = (overlap, not missing)
    return returns, overlaps


def _to_return(
    task: TaskState, records: Records, slips: Sequence[Annotation]
) -> list[RawAnnotation]:
    """The annotations that go back to their authors: slips of people who were not asked again about
    this item before, and what a changed guideline asks again."""
    present = {key_of(raw, records): raw for raw in task.annotations}
    asked_before = {slip.annotator for slip in slips if slip.key not in present}
    returned = []
    for key, raw in sorted(present.items(), key=lambda pair: pair[1].id):
        record = records.get(key)
        if record is None or record.standing is not Standing.ASIDE or not raw.annotator:
            continue
        if record.reason == AsideReason.ASKED_AGAIN:
            returned.append(raw)
        elif is_slip(record) and record.annotator not in asked_before:
            asked_before.add(record.annotator)
            returned.append(raw)
    return returned
