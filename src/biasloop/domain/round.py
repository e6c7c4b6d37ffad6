"""A round of the loop: its states, its steps, and the outcomes of a step."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """What has been completed in the round. A failed step does not change the state."""

    OPENED = "opened"
    EXPANDED = "expanded"  # synthetic items of this round are in the pool
    SCORED = "scored"  # the scores that the strategy needs are on disk for pool_rows
    SELECTED = "selected"  # the batch and its order are fixed
    PUSHED = "pushed"  # every item of the batch is a task in Label Studio
    ANNOTATED = "annotated"  # the number of open tasks has fallen to the low-water mark
    AGGREGATED = "aggregated"  # votes have been combined into a consensus
    TRAINED = "trained"  # a new model version is on disk
    EVALUATED = "evaluated"  # its audit report is in the ledger
    CLOSED = "closed"
    CANCELLED = "cancelled"


class PauseState(StrEnum):
    """Whether the loop runs steps and opens rounds."""

    RUNNING = "running"
    PAUSED = "paused"  # no step runs
    DRAINING = "draining"  # open rounds are finished, no new one opens


STEPS: Mapping[State, tuple[str, State]] = {
    State.OPENED: ("expand", State.EXPANDED),
    State.EXPANDED: ("score", State.SCORED),
    State.SCORED: ("select", State.SELECTED),
    State.SELECTED: ("push", State.PUSHED),
    State.PUSHED: ("pull", State.ANNOTATED),
    State.ANNOTATED: ("aggregate", State.AGGREGATED),
    State.AGGREGATED: ("train", State.TRAINED),
    State.TRAINED: ("evaluate", State.EVALUATED),
    State.EVALUATED: ("close", State.CLOSED),
}
"""For each state the name of the next step, and the state that follows it."""

FINISHED = (State.CLOSED, State.CANCELLED)
BEFORE_LABELLING = (State.OPENED, State.EXPANDED, State.SCORED, State.SELECTED)
DURING_LABELLING = (State.PUSHED,)
AFTER_LABELLING = (State.ANNOTATED, State.AGGREGATED, State.TRAINED, State.EVALUATED)


@dataclass(frozen=True, slots=True)
class Round:
    """A round and its current state.

    `facts` were recorded by its steps (pool_rows, model, counts …). `attempts`, `error` and
    `retry_at` describe failures of the current step; `waits_for` says what it is waiting for.
    """

    id: int
    state: State
    facts: Mapping[str, Any]
    opened_at: datetime
    closed_at: datetime | None = None
    attempts: int = 0
    error: str | None = None
    waits_for: str | None = None
    retry_at: datetime | None = None

    @property
    def step(self) -> str | None:
        """The name of the step to run next; None when the round is over."""
        return None if self.state in FINISHED else STEPS[self.state][0]


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to run one step of a round until the lease ends. `token` is a fencing token, which
    keeps out the holders of older claims."""

    round: Round
    token: int
    owner: str


@dataclass(frozen=True, slots=True)
class Done:
    """The step is finished: `facts` are added to those of the round, `records` to their tables."""

    facts: Mapping[str, Any] = field(default_factory=dict)
    records: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Wait:
    """The step cannot be completed yet, and nothing is wrong."""

    until: datetime
    why: str


Outcome = Done | Wait


def retry_delay(attempts: int, base: float = 2.0, cap: float = 300.0) -> timedelta:
    """How long to wait after `attempts` failed attempts: doubles from `base` to `cap` seconds."""
    doublings = min(max(0, attempts - 1), 100)  # an outage of days must not overflow
    return timedelta(seconds=min(cap, base * 2**doublings))


LONGEST_WAIT = timedelta(minutes=10)
"""No lease or pause is longer; the settings enforce it."""


def has_passed(moment: datetime | None, now: datetime) -> bool:
    """Whether a lease or pause until `moment` is over.

    One that seems longer than LONGEST_WAIT was written before the clock was set back, and counts as
    over, so that nothing waits until the clock has caught up.
    """
    return moment is None or not now < moment <= now + LONGEST_WAIT


@dataclass(frozen=True, slots=True)
class OpeningRules:
    """Settings that decide when a round opens and when the campaign ends."""

    batch_size: int
    min_new_items: int
    interval: timedelta
    budget: int


@dataclass(frozen=True, slots=True)
class Situation:
    """The facts that decide whether a round may open."""

    now: datetime
    rounds: tuple[Round, ...]
    labels: int
    """Number of items that have a human label or wait for one."""
    candidates: Callable[[], int]
    """Counts the unlabelled items that annotators could get. It scans the whole pool, so the
    decision calls it last."""
    pause: PauseState
    stop: str | None = None
    """Why the stopping rule opens no more rounds; None if it allows more, or there is no rule."""


class Hold(StrEnum):
    """What kind of obstacle keeps the next round from opening."""

    PAUSED = "paused"  # until somebody resumes the loop
    OPEN = "open"  # until the open round is labelled
    LATER = "later"  # until the time of the obstacle
    OVER = "over"  # until somebody imports ads, changes the settings or resumes the loop


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why no round may open now, in words for the status page; `until` is known if it passes by
    itself."""

    hold: Hold
    why: str
    until: datetime | None = None


def reason_not_to_open(opening: OpeningRules, situation: Situation) -> str | None:
    """Why no round may open now, in words for the status page; None if one may."""
    obstacle = obstacle_to_opening(opening, situation)
    return obstacle.why if obstacle else None


def obstacle_to_opening(opening: OpeningRules, situation: Situation) -> Obstacle | None:
    """What keeps the next round from opening; None if it may open.

    At most one round is with annotators or on its way to them, and one trains (R6).
    """
    live = [r for r in situation.rounds if r.state not in FINISHED]
    last = max((r.opened_at for r in situation.rounds), default=None)
    if situation.pause is not PauseState.RUNNING:
        return Obstacle(Hold.PAUSED, f"{situation.pause}; continue with `biasloop resume`")
    if any(r.state in BEFORE_LABELLING + DURING_LABELLING for r in live):
        return Obstacle(Hold.OPEN, "a round is already open")
    if end := reason_to_end(opening, situation):
        return Obstacle(Hold.OVER, end)
    if last is not None and situation.now < (until := last + opening.interval):
        why = f"the next round may open at {until:%Y-%m-%d %H:%M %Z}"
        return Obstacle(Hold.LATER, why, until)
    candidates = situation.candidates()
    if candidates == 0:
        why = "the pool has no more items to label; add ads with `biasloop import`"
        return Obstacle(Hold.OVER, why)
    if candidates < opening.min_new_items:
        why = (
            f"{candidates} unlabelled items, {opening.min_new_items} needed to open "
            "a round (loop.min_new_items); import more ads"
        )
        return Obstacle(Hold.OVER, why)
    return None


def reason_to_end(opening: OpeningRules, situation: Situation) -> str | None:
    """Why the campaign is over although there may be more items to label; None if it is not."""
    if situation.labels >= opening.budget:
        return f"the budget of {opening.budget} labels is spent; raise loop.budget to continue"
    if situation.stop:
        return f"{situation.stop}; `biasloop resume` opens rounds until the rule applies again"
    return None


def is_last_batch(opening: OpeningRules, situation: Situation, batch: int) -> bool:
    """Whether no round will follow the open one, as far as is known while its `batch` items are
    labelled: a batch that is not full took all that the pool had."""
    running = situation.pause is PauseState.RUNNING
    return not running or batch < opening.batch_size or bool(reason_to_end(opening, situation))
