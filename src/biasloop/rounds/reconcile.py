"""The full comparison with Label Studio: corrects what polls cannot see.

A poll reads what changed since the last one. It misses a task deleted altogether, a database
restored from a backup or a clock set back; the comparison of everything finds them.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.batch import Selection
from biasloop.domain.policy import PolicyAt
from biasloop.domain.round import State
from biasloop.domain.task import TaskState
from biasloop.domain.votes.vote import VotePlan
from biasloop.errors import LabelStudioRefused
from biasloop.labelstudio.label_config import LabelConfig
from biasloop.ports import LabelStudio, Pool
from biasloop.rounds.poll import CHUNK, record_changes
from biasloop.rounds.steps.push import push
from biasloop.store.ledger import Ledger

MAX_LOST_SHARE = 0.1
MAX_LOST_COUNT = 20
"""If more annotations than this number and this share of all are gone, reconciling needs
`accept_losses`: a project deleted by mistake must not erase what the campaign has learned."""


@dataclass(frozen=True, slots=True)
class Differences:
    """What was corrected: annotation versions that the ledger lacked, annotations that were deleted
    with their task, and tasks pushed again because nobody had answered them."""

    changed: int
    lost: int
    pushed_again: int


def reconcile(
    ledger: Ledger,
    label_studio: LabelStudio,
    pool: Pool,
    config: LabelConfig,
    policy_at: PolicyAt,
    plan: VotePlan,
    *,
    accept_losses: bool = False,
) -> Differences:
    """Makes the ledger agree with Label Studio on every annotation, and pushes every open item
    whose task is gone again. Repeatable; to undo it, restore Label Studio and reconcile again.

    Raises LabelStudioRefused when so many annotations are gone that it looks like an accident,
    unless `accept_losses`.
    """
    item_by_task: dict[int, str] = {}  # the id of a deleted task may be reused for another item
    changed = 0
    batch: list[TaskState] = []
    for task in label_studio.changed_since(None):
        item_by_task[task.task_id] = task.item_id
        batch.append(task)
        if len(batch) == CHUNK:
            changed += record_changes(ledger, label_studio, batch, config, policy_at, plan)
            batch = []
    changed += record_changes(ledger, label_studio, batch, config, policy_at, plan)

    current = [
        a
        for a in ledger.annotations()
        if a.task_id is not None and a.standing is not Standing.DELETED
    ]
    lost = [a for a in current if item_by_task.get(a.task_id or 0) != a.item_id]
    if len(lost) > max(MAX_LOST_COUNT, MAX_LOST_SHARE * len(current)) and not accept_losses:
        raise LabelStudioRefused(
            f"{len(lost)} of {len(current)} answers are gone from Label Studio with their tasks; "
            "if the project was deleted by mistake, restore Label Studio; if that was intended, "
            "run `biasloop reconcile --accept-losses`"
        )
    now = datetime.now(UTC)
    ledger.record([_deleted_with_task(annotation, now) for annotation in lost])
    pushed_again = _push_again(ledger, label_studio, pool, item_by_task, now)
    if changed or lost:
        ledger.rounds.wake(State.PUSHED)
    return Differences(changed, len(lost), pushed_again)


def _deleted_with_task(annotation: Annotation, at: datetime) -> Annotation:
    return replace(
        annotation, standing=Standing.DELETED, labels=(), reason="its task is gone", at=at
    )


def _push_again(
    ledger: Ledger,
    label_studio: LabelStudio,
    pool: Pool,
    item_by_task: dict[int, str],
    now: datetime,
) -> int:
    """Pushes the unanswered items of live rounds whose task is gone; returns how many."""
    answered = {
        a.item_id for a in ledger.annotations() if a.standing in (Standing.VOTE, Standing.SKIP)
    }
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
