"""What the page says when its queue is empty. Pure."""

from collections.abc import Mapping

from biasloop.domain.queue import Queue
from biasloop.reports.queue import QueueState


def queue_message(queue: QueueState, words: Mapping[str, str]) -> str:
    """Why an annotator has no task, as a sentence in their language."""
    if queue.state is Queue.WORK:
        return words["with_others"]
    if queue.state in (Queue.DONE, Queue.PAUSED):
        return words[queue.state]
    if queue.minutes is None:
        return words["preparing"]
    if queue.minutes == 1:
        return words["preparing_one"]
    return words["preparing_minutes"].format(minutes=queue.minutes)


def batch_of(queue: QueueState) -> dict[str, int] | None:
    """How far the open batch is, as JSON; None if there is none."""
    if queue.batch is None:
        return None
    return {"done": queue.batch.answered, "of": queue.batch.size}
