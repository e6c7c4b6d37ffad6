"""Takes an ad down: removes its text from pool, features, ledger, stored answers of language
models, and tasks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from shutil import rmtree

from biasloop.errors import LabelStudioError, PoolError
from biasloop.service.service import Service
from biasloop.store.control import Event


@dataclass(frozen=True, slots=True)
class Takedown:
    """What was taken down: the ad's items, how many tasks showed them, and the models that had
    learned from them."""

    ad: str
    items: list[str]
    tasks_withdrawn: int
    models: list[str]


def take_down(service: Service, ad_id: str) -> Takedown:
    """Erases an ad. After any failure, the same call does the rest.

    Raises PoolError when there is no such ad, LabelStudioError when its tasks could not be removed.
    """
    if not service.pool.ads([ad_id]):
        raise PoolError(f"there is no ad {ad_id!r} in the pool; `biasloop export` lists the ids")
    ledger, now = service.ledger, datetime.now(UTC)
    items = service.pool.erase(ad_id)
    # Features contain words of the ad; they are computed again.
    rmtree(service.layout.features, ignore_errors=True)
    ledger.record_takedown(ad_id, items, now)
    forget_answers(service, ad_id)
    ledger.control.note(Event.TAKEN_DOWN, {"ad": ad_id, "items": len(items)}, now)
    tasks = sorted(ledger.task_ids().keys() & set(items))
    if tasks:
        _withdraw(service, ad_id, tasks)
    return Takedown(ad_id, items, len(tasks), ledger.models.trained_on_any(items))


def forget_answers(service: Service, ad_id: str) -> None:
    """Drops what a language model answered to prompts that held a text of this ad."""
    if service.layout.llm.exists():
        from biasloop.llm.cache import AnswerCache

        cache = AnswerCache(service.layout.llm)
        cache.forget(ad_id)
        cache.close()


def _withdraw(service: Service, ad_id: str, item_ids: Sequence[str]) -> None:
    """Removes the tasks that show these items."""
    try:
        tasks = service.label_studio.task_ids(item_ids)
        service.label_studio.withdraw(list(chain(*tasks.values())))
    except LabelStudioError as error:
        raise type(error)(
            f"the text is out of the pool, but {len(item_ids)} tasks still hold it: {error}; "
            f"run `biasloop takedown {ad_id}` again once Label Studio answers"
        ) from error
