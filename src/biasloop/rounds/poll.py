"""The poll: the only place where annotations from Label Studio enter the ledger (R4)."""

from datetime import datetime, timedelta

from biasloop.domain.policy import PolicyAt
from biasloop.domain.round import State
from biasloop.domain.votes.vote import VotePlan
from biasloop.labelstudio.label_config import LabelConfig
from biasloop.ports import LabelStudio, Pool
from biasloop.rounds.recorder import Recorder, last_read
from biasloop.store.control import Bookmark
from biasloop.store.ledger import Ledger

OVERLAP = timedelta(seconds=30)
"""How far a poll reads back before the cursor: Label Studio may commit changes in another order
than that of their times."""


def poll(
    ledger: Ledger,
    label_studio: LabelStudio,
    pool: Pool,
    config: LabelConfig,
    policy_at: PolicyAt,
    plan: VotePlan,
    now: datetime,
) -> int:
    """Writes what changed in Label Studio to the ledger; returns the number of new versions.

    Tasks whose items lack votes are then shown to annotators again. May run at any moment, in any
    state of any round: an annotation that says the same as its current version adds nothing. The
    cursor moves only after everything up to it is written. A cursor later than `now` dates from
    before the clock was set back; the poll then starts from `now`, so that it misses nothing.

    When Label Studio's database may be an older copy, everything is compared once. Answers that are
    gone with it, and many gone at once, go on counting, and the cursor stays, until all are back or
    somebody decides (`reconcile`). While a question that a full comparison asked is open, and the
    task that set the cursor is there, every poll compares everything: tasks that come back show no
    change.
    """
    control = ledger.control
    asked = control.bookmark(Bookmark.LOSSES)
    recorder = Recorder(ledger, label_studio, pool, config, policy_at, plan)
    last = recorder.summary.last = last_read(ledger, now)
    since = min(last.cursor, now) - OVERLAP if last else None
    recorder.read(label_studio.changed_since(since))
    older = recorder.summary.may_be_older_copy()
    asked_everywhere = bool(asked and asked["everywhere"])
    if older != bool(asked and asked["older"]) or (asked_everywhere and not older):
        recorder.read(label_studio.changed_since(None))
        question = recorder.question(recorder.missing_anywhere(), older=older)
    elif asked_everywhere:
        question = asked
    else:
        question = recorder.question(recorder.summary.missing)
    if question is None:
        recorder.record_deletions()
        recorder.move_cursor()
    if question != asked:
        control.set_bookmark(Bookmark.LOSSES, question)
    if recorder.new:
        ledger.rounds.wake(State.PUSHED)
    return recorder.new
