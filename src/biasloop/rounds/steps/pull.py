"""PUSHED -> ANNOTATED: the one wait for people.

The poll writes annotations; this step only tests whether enough is there (R4).
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

    That is `low_water` for every person who answers, as long as it is not over half of the tasks:
    what lasts one person a minute lasts twenty three seconds, too few to make the next batch.

    `pushed` are item ids that are tasks: what was taken down is nobody's to label. When the
    deadline passes the round goes on waiting, and says so.
    """
    tasks = {s.item_id for s in selections} & set(pushed)
    answers = [a for a in annotations if a.item_id in tasks and a.source is LabelSource.HUMAN]
    done = answered_items(answers, per_item)
    open_tasks = len(tasks - done)
    people = len({a.annotator for a in answers})
    mark = max(low_water, min(low_water * people, len(tasks) // 2))
    # A batch smaller than the mark must not count as annotated before anybody looked at it.
    if open_tasks <= min(mark, max(0, len(tasks) - 1)):
        return Done(facts={"annotated": len(done), "left_open": open_tasks})
    why = f"{open_tasks} of {len(tasks)} tasks are open; the next round comes at {mark}"
    last = max((a.at for a in answers), default=pushed_at)
    voted = {a.item_id for a in answers if a.standing is Standing.VOTE} - done
    if voted:
        why += f"; {len(voted)} of them lack votes: {per_item} are wanted, {people} people labelled"
    if aside := {a.item_id for a in answers if a.standing is Standing.ASIDE} - done - voted:
        why += f"; {len(aside)} were answered, but not so that it counts (see status)"
    if now > last + deadline:
        why += f"; nobody has labelled since {last:%Y-%m-%d %H:%M} UTC"
    return Wait(until=now + poll_interval, why=why)
