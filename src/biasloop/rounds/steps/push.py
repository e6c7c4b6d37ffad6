"""SELECTED -> PUSHED: every item of the batch is a task in Label Studio."""

from collections.abc import Callable, Mapping, Sequence

from biasloop.domain.batch import Selection
from biasloop.domain.item import Item
from biasloop.domain.round import Done
from biasloop.domain.task import LabelTask, PushedTask
from biasloop.domain.writing.judgement import Judgement
from biasloop.ports import LabelStudio, Pool

Prelabel = Callable[[Sequence[Item]], Mapping[str, Judgement]]
"""Returns suggested labels for items, by item id."""


def push(
    *,
    round_id: int,
    pool: Pool,
    selections: Sequence[Selection],
    label_studio: LabelStudio,
    newest: PushedTask | None = None,
    prelabel: Prelabel | None = None,
) -> Done:
    """Sends the tasks that Label Studio does not have yet, in the order of the batch (R3).

    `newest` is the newest task in the ledger: tasks that an interrupted attempt left in Label
    Studio come after it.
    """
    tasks = label_tasks(pool, selections, round_id, prelabel)
    task_ids = label_studio.push(tasks, newest=newest)
    pushed = tuple(PushedTask(task.item_id, task_ids[task.item_id]) for task in tasks)
    facts = {"pushed": len(pushed)}
    if prelabel:
        facts["prelabelled"] = sum(task.prelabel is not None for task in tasks)
    return Done(facts=facts, records=pushed)


def label_tasks(
    pool: Pool,
    selections: Sequence[Selection],
    round_id: int,
    prelabel: Prelabel | None = None,
) -> list[LabelTask]:
    """Tasks in the order of the selections; items taken down meanwhile have none."""
    erased = pool.column("erased")
    items = pool.items([s.row for s in selections if not erased[s.row]])
    first_answers = prelabel(items) if prelabel else {}
    ads = pool.ads(sorted({item.ad_id for item in items if item.ad_id}))
    return [
        LabelTask(
            item_id=item.id,
            text=item.text,
            context=ads[item.ad_id].text if item.ad_id in ads else item.text,
            round=round_id,
            prelabel=first_answers.get(item.id),
        )
        for item in items
    ]
