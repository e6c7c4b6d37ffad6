"""Takes an ad down: removes its text from pool, features, ledger, stored answers of language
models, and tasks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from shutil import rmtree

from biasloop.errors import BiasloopError, LabelStudioError, PoolError
from biasloop.service.service import Service
from biasloop.store.control import Bookmark, Event


@dataclass(frozen=True, slots=True)
class Takedown:
    """What was taken down: the ad's items, how many of them this call erased, how many tasks it
    withdrew, and the models that had learned from them. `backups` are the copies of the workspace
    from which the ad was erased as well, `backups_left` those that could not be opened."""

    ad: str
    items: list[str]
    erased: int
    tasks_withdrawn: int
    models: list[str]
    backups: list[str]
    backups_left: list[str]


def take_down(service: Service, ad_id: str) -> Takedown:
    """Erases an ad, from the backups that can be found as well, so that it does not come back with
    one of them. After any failure, the same call does the rest.

    Raises PoolError when there is no such ad, LabelStudioError when its tasks could not be removed.
    """
    if not service.pool.ads([ad_id]):
        raise PoolError(f"there is no ad {ad_id!r} in the pool; `biasloop export` lists the ids")
    items, erased = _erase(service, ad_id)
    backups, left = _erase_from_backups(service, ad_id)
    tasks = sorted(service.ledger.pushed_items() & set(items))
    withdrawn = _withdraw(service, ad_id, tasks) if tasks else 0
    models = service.ledger.models.trained_on_any(items)
    return Takedown(ad_id, items, erased, withdrawn, models, backups, left)


def _erase(service: Service, ad_id: str) -> tuple[list[str], int]:
    """Erases an ad from the files and the ledger of a workspace. Returns (its items, how many of
    them were not erased before)."""
    now = datetime.now(UTC)
    items = _erase_from_files(service, ad_id)
    erased = service.ledger.record_takedown(ad_id, items, now)
    service.ledger.control.note(Event.TAKEN_DOWN, {"ad": ad_id, "items": erased}, now)
    return items, erased


def _erase_from_files(service: Service, ad_id: str) -> list[str]:
    items = service.pool.erase(ad_id)
    # Features contain words of the ad; they are computed again.
    rmtree(service.layout.features, ignore_errors=True)
    forget_answers(service, ad_id)
    return items


def _erase_from_backups(service: Service, ad_id: str) -> tuple[list[str], list[str]]:
    """Returns (backups from which the ad was erased, backups that could not be opened)."""
    done, left = [], []
    for folder in service.ledger.control.bookmark(Bookmark.BACKUPS) or []:
        if Path(folder) == service.layout.folder:
            continue  # this backup was put in place
        try:
            backup = Service(Path(folder))
            try:
                if backup.pool.ads([ad_id]):
                    # A ledger on a server is no part of the backup: it is the one in use.
                    on_server = bool(backup.settings.ledger_url)
                    (_erase_from_files if on_server else _erase)(backup, ad_id)
                    done.append(folder)
            finally:
                backup.close()
        except (BiasloopError, OSError):
            left.append(folder)
    return done, left


def forget_answers(service: Service, ad_id: str) -> None:
    """Drops what a language model answered to prompts that held a text of this ad."""
    if service.layout.llm.exists():
        from biasloop.llm.cache import AnswerCache

        cache = AnswerCache(service.layout.llm)
        cache.forget(ad_id)
        cache.close()


def _withdraw(service: Service, ad_id: str, item_ids: Sequence[str]) -> int:
    """Removes the tasks that show these items; returns how many there were."""
    try:
        tasks = list(chain(*service.label_studio.task_ids(item_ids).values()))
        service.label_studio.withdraw(tasks)
        return len(tasks)
    except LabelStudioError as error:
        raise type(error)(
            f"the text is out of the pool, but {len(item_ids)} tasks still hold it: {error}; "
            f"run `biasloop takedown {ad_id}` again once Label Studio answers"
        ) from error
