"""PUSHED -> ANNOTATED: the only step that waits for annotators.

The poll writes annotations; this step only tests whether there are enough (R4).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.batch import Selection
from biasloop.domain.label import LabelSource
from biasloop.domain.round import Done, Outcome, Wait
from biasloop.domain.votes.vote import answered_items


def pull(
    *,
    selections: Sequence[Selection],
    pushed: Iterable[str],
    annotations: Iterable[Annotation],
    low_water: int,
    per_item: int,
    pushed_at: datetime,
    deadline: timedelta,
    now: datetime,
    poll_interval: timedelta,
) -> Outcome:
    """Done once the open tasks of this round fall to the low-water mark (R6).

    The mark is `low_water` for every annotator, up to half of the tasks: tasks that last one
    annotator a minute last twenty of them three seconds, too short to make the next batch.

    `pushed` are the ids of items that have a task; items that were taken down have none. A round
    goes on waiting after the deadline, but its reason says so.
    """
    tasks = {s.item_id for s in selections} & set(pushed)
    human = [a for a in annotations if a.item_id in tasks and a.source is LabelSource.HUMAN]
    done = answered_items(human, per_item)
    open_tasks = len(tasks - done)
    annotators = len({a.annotator for a in human})
    mark = max(low_water, min(low_water * annotators, len(tasks) // 2))
    # A batch smaller than the mark must not count as annotated before anyone has answered a task.
    if open_tasks <= min(mark, max(0, len(tasks) - 1)):
        return Done(facts={"annotated": len(done), "left_open": open_tasks})
    reason = f"{open_tasks} of {len(tasks)} tasks are open; the next round comes at {mark}"
    last_answer = max((a.at for a in human), default=pushed_at)
    lacking_votes = {a.item_id for a in human if a.standing is Standing.VOTE} - done
    if lacking_votes:
        reason += (
            f"; {len(lacking_votes)} of them lack votes: {per_item} are needed, "
            f"{annotators} annotators have labelled"
        )
    set_aside = {a.item_id for a in human if a.standing is Standing.ASIDE}
    if ignored := set_aside - done - lacking_votes:
        reason += f"; {len(ignored)} were answered, but the answers do not count (see status)"
    if now > last_answer + deadline:
        reason += f"; nobody has labelled since {last_answer:%Y-%m-%d %H:%M} UTC"
    return Wait(until=now + poll_interval, why=reason)
