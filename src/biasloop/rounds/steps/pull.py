"""PUSHED -> ANNOTATED: the only step that waits for annotators.

The poll writes annotations; this step only tests whether there are enough (R4).
"""

from collections.abc import Iterable, Sequence, Set
from dataclasses import asdict
from datetime import datetime, timedelta

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import LabelSource
from biasloop.domain.low_water import (
    LABELS_PER_MINUTE,
    Lead,
    LowWater,
    low_water_mark,
    usual_lead,
)
from biasloop.domain.round import Done, Outcome, Round, Wait
from biasloop.domain.votes.pace import labels_per_minute, moments_answered
from biasloop.domain.votes.vote import answered_items


def pull(
    *,
    tasks: Set[str],
    annotations: Iterable[Annotation],
    low_water: int,
    rounds: Sequence[Round],
    is_last: bool,
    per_item: int,
    pushed_at: datetime,
    deadline: timedelta,
    now: datetime,
    poll_interval: timedelta,
) -> Outcome:
    """Done once the open tasks of this round fall to the low-water mark (R6).

    The mark follows what annotators label while the next batch is made, as measured in `rounds`
    (all so far, oldest first); see `low_water_mark`. When this is the last round, nobody waits for
    a batch, and the setting alone counts. What was used becomes a fact of the round.

    `tasks` are the ids of the items of the batch that have a task; items that were taken down have
    none. A round goes on waiting after the deadline, but its reason says so.
    """
    human = [a for a in annotations if a.item_id in tasks and a.source is LabelSource.HUMAN]
    done = answered_items(human, per_item)
    open_tasks = len(tasks - done)
    annotators = len({a.annotator for a in human})
    pace = labels_per_minute(moments_answered(human, done, per_item))
    lead = Lead() if is_last else usual_lead(rounds, pace)
    low = low_water_mark(len(tasks), annotators, low_water, lead)
    if open_tasks <= low.mark:
        facts = {"annotated": len(done), "left_open": open_tasks}
        used = {"mark": low.mark, **asdict(low.lead)}
        return Done(facts={**facts, LABELS_PER_MINUTE: pace, "low_water": used})
    reason = f"{open_tasks} of {len(tasks)} tasks are open; {_describe(low)}"
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


def _describe(low: LowWater) -> str:
    """When the next round comes, and what that was measured from."""
    reason = f"the next round comes at {low.mark}"
    pace, minutes = low.lead.labels_per_minute, low.lead.minutes
    if pace is None or minutes is None:
        return reason
    return f"{reason} ({pace:.1f} labels a minute, {minutes:.1f} minutes to make a batch)"
