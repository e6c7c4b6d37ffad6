"""How the queue of the annotators stands, for the page on which they label.

It is asked by every open tab every few seconds, so it reads neither the whole pool nor all
annotations.
"""

from dataclasses import dataclass
from datetime import datetime

from biasloop.domain.queue import Queue, state_without_tasks
from biasloop.domain.round import AFTER_LABELLING, DURING_LABELLING, Round
from biasloop.domain.votes.vote import answered_items
from biasloop.service.service import Service


@dataclass(frozen=True, slots=True)
class BatchReport:
    """How many tasks of a batch are answered, of how many."""

    answered: int
    size: int


@dataclass(frozen=True, slots=True)
class QueueState:
    """How the queue stands for all annotators together.

    `minutes` are the usual minutes from now to the next batch; None unless one is being prepared,
    before the first one was measured, and once it is overdue. `batch` is that of the newest round
    that is not closed and whose tasks were pushed; None if there is none.
    """

    state: Queue
    minutes: int | None
    batch: BatchReport | None


def queue_state(service: Service, now: datetime) -> QueueState:
    """How the queue stands now.

    A task counts as open until its item has `votes.per_item` votes. Further votes on audit items do
    not count; whether an annotator may give one, only Label Studio knows.
    """
    batches = [
        _batch(service, round_)
        for round_ in service.ledger.rounds.live()
        if round_.state in DURING_LABELLING + AFTER_LABELLING
    ]
    newest = batches[-1] if batches else None
    if any(batch.answered < batch.size for batch in batches):
        return QueueState(Queue.WORK, None, newest)
    state, minutes = state_without_tasks(service.settings.opening, service.situation(now))
    return QueueState(state, minutes, newest)


def _batch(service: Service, round_: Round) -> BatchReport:
    batches = service.ledger.batches
    tasks = batches.items_with_task(round_.id)
    done = answered_items(batches.annotations(round_.id), service.settings.votes.per_item)
    return BatchReport(len(tasks & done), len(tasks))
