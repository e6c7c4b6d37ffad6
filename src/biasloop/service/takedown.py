"""Takes an ad down: erases its text, and what was made from it, wherever a workspace holds it."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from shutil import rmtree

from biasloop.errors import BiasloopError, ClassifierError, LabelStudioError, PoolError
from biasloop.intake.rejects import drop_rejects_of
from biasloop.labelstudio.database import compact, erase_words
from biasloop.service.past_exports import (
    HeldExport,
    delete_exports,
    exports_that_held,
    unrecorded_exports,
)
from biasloop.service.service import Service
from biasloop.service.tunings import forget_pairs, tunings_of_ad
from biasloop.store.control import Bookmark, Event
from biasloop.store.machine_labels import MachineLabelStore

TEXTS_AT_A_TIME = 10_000


@dataclass(frozen=True, slots=True)
class Takedown:
    """What was taken down: the ad's items, how many of them this call erased, how many tasks it
    withdrew, and the models that had learned from them.

    `backups` are the copies of the workspace from which the ad was erased as well, `backups_left`
    those that could not be opened. `models_left` could not be read, so that they may still quote
    it. `server` is the URL of a Label Studio that somebody else runs: its database and its backups
    are theirs to clean. `exports` held the ad, `exports_unrecorded` may hold it. `tunings` learned
    from it; their adapters are as they were.
    """

    ad: str
    items: list[str]
    erased: int
    tasks_withdrawn: int
    models: list[str]
    models_left: list[str]
    backups: list[str]
    backups_left: list[str]
    server: str | None
    exports: list[HeldExport]
    exports_unrecorded: list[str]
    tunings: list[str]


def take_down(service: Service, ad_id: str) -> Takedown:
    """Erases an ad, from the backups that can be found as well, so that it does not come back with
    one of them. After any failure, the same call does the rest.

    Raises PoolError when there is no such ad, LabelStudioError when its tasks could not be removed.
    """
    if not service.pool.ads([ad_id]):
        raise PoolError(f"there is no ad {ad_id!r} in the pool; `biasloop export` lists the ids")
    tunings = tunings_of_ad(service.layout, ad_id)
    items, erased = _erase(service, ad_id)
    models_left = forget_words_of_gone_texts(service)
    backups, left = _erase_from_backups(service, ad_id)
    tasks = sorted(service.ledger.pushed_items() & set(items))
    withdrawn = _withdraw(service, ad_id, tasks) if tasks else 0
    return Takedown(
        ad=ad_id,
        items=items,
        erased=erased,
        tasks_withdrawn=withdrawn,
        models=service.ledger.models.trained_on_any(items),
        models_left=models_left,
        backups=backups,
        backups_left=left,
        server=service.settings.labelstudio.url or None,
        exports=exports_that_held(service.layout, ad_id),
        exports_unrecorded=unrecorded_exports(service.layout),
        tunings=tunings,
    )


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
    # Features quote the ad and are computed again. So is what a step has prepared for its child
    # process: a step that runs fails, and begins again without the ad.
    for folder in (service.layout.features, service.layout.work):
        rmtree(folder, ignore_errors=True)
    MachineLabelStore(service.layout.machine_labels).erase(items)
    drop_rejects_of(service.layout.rejects, ad_id)
    delete_exports(service.layout, ad_id)
    forget_pairs(service.layout, ad_id)
    forget_answers(service, ad_id)
    return items


def _erase_from_backups(service: Service, ad_id: str) -> tuple[list[str], list[str]]:
    """Returns (backups from which the ad was erased, backups that could not be opened)."""
    done: list[str] = []
    left: list[str] = []
    for folder in service.ledger.control.bookmark(Bookmark.BACKUPS) or []:
        if Path(folder) == service.layout.folder:
            continue  # this backup was put in place
        try:
            with closing(Service(Path(folder))) as backup:
                if backup.pool.ads([ad_id]):
                    models_left = _erase_from_backup(backup, ad_id)
                    (left if models_left else done).append(folder)
        except (BiasloopError, OSError):
            left.append(folder)
    return done, left


def _erase_from_backup(backup: Service, ad_id: str) -> list[str]:
    """Returns the names of its models that cannot be read."""
    # A ledger on a server is no part of the backup: it is the one in use.
    on_server = bool(backup.settings.ledger_url)
    items = _erase_from_files(backup, ad_id) if on_server else _erase(backup, ad_id)[0]
    erase_words(backup.layout.labelstudio, items)
    return forget_words_of_gone_texts(backup)


def forget_answers(service: Service, ad_id: str) -> None:
    """Drops what a language model answered to prompts that held a text of this ad."""
    if service.layout.llm.exists():
        from biasloop.llm.cache import AnswerCache

        cache = AnswerCache(service.layout.llm)
        cache.forget(ad_id)
        cache.close()


def forget_words_of_gone_texts(service: Service) -> list[str]:
    """Takes the words that no text of the pool has out of all models. Returns the names of the
    models that cannot be read."""
    from biasloop.plugins.classifiers.forgetting import WordsInUse, forget_words

    folders = sorted(path for path in service.layout.models.glob("*") if path.is_dir())
    words = WordsInUse(_texts(service)) if folders else WordsInUse(())
    left = []
    for folder in folders:
        try:
            forget_words(folder, words)
        except ClassifierError:
            left.append(folder.name)
    return left


def _texts(service: Service) -> Iterator[str]:
    rows = range(len(service.pool))
    for begin in rows[::TEXTS_AT_A_TIME]:
        yield from service.pool.texts(rows[begin : begin + TEXTS_AT_A_TIME])


def _withdraw(service: Service, ad_id: str, item_ids: Sequence[str]) -> int:
    """Removes the tasks that show these items; returns how many there were."""
    try:
        tasks = list(chain(*service.label_studio.task_ids(item_ids).values()))
        service.label_studio.withdraw(tasks)
        if not service.settings.labelstudio.url:
            compact(service.layout.labelstudio)
    except LabelStudioError as error:
        raise type(error)(
            f"the text is out of the pool, but {len(item_ids)} tasks still hold it: {error}; "
            f"run `biasloop takedown {ad_id}` again once Label Studio answers"
        ) from error
    return len(tasks)
