"""The full comparison with Label Studio: corrects what polls cannot see.

A poll reads what changed since the last one. It misses a task deleted altogether, a database
restored from a backup or a clock set back; the comparison of everything finds them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.batch import Selection
from biasloop.domain.policy import PolicyAt
from biasloop.domain.round import State
from biasloop.domain.votes.vote import VotePlan
from biasloop.errors import LabelStudioRefused
from biasloop.labelstudio.label_config import LabelConfig
from biasloop.ports import LabelStudio, Pool
from biasloop.rounds.losses import LossDecision, describe_losses, keep_answers
from biasloop.rounds.recorder import Recorder, last_read
from biasloop.rounds.steps.push import push
from biasloop.store.control import Bookmark
from biasloop.store.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Differences:
    """What was corrected: annotation versions that the ledger lacked, annotations that were deleted
    with their task, tasks pushed again because nobody had answered them, and answers that are kept
    although Label Studio has lost them."""

    changed: int
    lost: int
    pushed_again: int
    kept: int = 0


def reconcile(
    ledger: Ledger,
    label_studio: LabelStudio,
    pool: Pool,
    config: LabelConfig,
    policy_at: PolicyAt,
    plan: VotePlan,
    *,
    losses: LossDecision = LossDecision.ASK,
) -> Differences:
    """Makes the ledger agree with Label Studio on every annotation, and pushes again every open
    item whose task is gone. Repeatable; to undo it, restore Label Studio and reconcile again.

    `losses` says what becomes of answers that are gone. Raises LabelStudioRefused when they are so
    many that it looks like an accident and nobody has decided: until then they count.
    """
    now = datetime.now(UTC)
    recorder = Recorder(ledger, label_studio, pool, config, policy_at, plan)
    summary = recorder.summary
    summary.last = last_read(ledger, now)
    recorder.read(label_studio.changed_since(None))
    erased = ledger.erased_items()
    # A Label Studio that was restored from a backup shows again what was taken down.
    label_studio.withdraw([task for task, item in summary.tasks.items() if item in erased])
    missing = recorder.missing_anywhere()
    question = recorder.question(missing, older=summary.may_be_older_copy())
    if question and losses is LossDecision.ASK:
        ledger.control.set_bookmark(Bookmark.LOSSES, question)
        raise LabelStudioRefused(describe_losses(question))
    lost: list[Annotation] = []
    if losses is LossDecision.KEEP:
        ledger.record(keep_answers(missing.values()))
    else:
        recorder.record_deletions()
        lost = [answer for key, answer in missing.items() if key not in summary.missing]
        ledger.record([_deleted_with_task(answer, now) for answer in lost])
    recorder.move_cursor()
    ledger.control.set_bookmark(Bookmark.LOSSES, None)
    pushed_again = _push_again(ledger, label_studio, pool, summary.tasks, now)
    if pushed_again:  # some may have been there already, with answers
        recorder.read(label_studio.changed_since(None))
    if recorder.new or lost:
        ledger.rounds.wake(State.PUSHED)
    kept = len(missing) if losses is LossDecision.KEEP else 0
    return Differences(recorder.new, len(lost), pushed_again, kept)


def _deleted_with_task(annotation: Annotation, at: datetime) -> Annotation:
    return replace(
        annotation, standing=Standing.DELETED, labels=(), reason="its task is gone", at=at
    )


def _push_again(
    ledger: Ledger,
    label_studio: LabelStudio,
    pool: Pool,
    item_by_task: Mapping[int, str],
    now: datetime,
) -> int:
    """Pushes the unanswered items of live rounds whose task is gone; returns how many."""
    answered = ledger.answered_items()
    task_by_item = ledger.task_ids()
    lacking = {
        item for item, task in task_by_item.items() if item_by_task.get(task) != item
    } - answered
    by_round: dict[int, list[Selection]] = {}
    for round_id, selection in ledger.live_selections():
        if selection.item_id in lacking:
            by_round.setdefault(round_id, []).append(selection)
    pushed = 0
    for round_id, selections in by_round.items():
        done = push(round_id=round_id, pool=pool, selections=selections, label_studio=label_studio)
        ledger.add(done.records, now, round_id)
        pushed += len(done.records)
    return pushed
