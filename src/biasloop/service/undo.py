"""Takes an import back: what it added and nobody has used since is removed."""

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.batch import Rows
from biasloop.domain.item import Item, Origin
from biasloop.domain.round import has_passed
from biasloop.errors import LedgerError
from biasloop.service.service import Service
from biasloop.store.control import SCHEDULER_LEASE, Event, Lease
from biasloop.store.imports import ImportRecord

LEASE_SECONDS = 120.0
"""If the command is killed, no service can work on the workspace for this long."""

ANSWERED, ASKED = "answered", "asked"
LEARNED, COPIED = "learned from", "source of other texts"
"""Why an item stays, the first reason that holds: somebody else answered it, it was in a batch, a
model learned from it, or other texts were made from it."""


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """What taking back an import does.

    `rows` and `ads` are removed from the pool. `labels` are new versions of the labels that the
    import recorded: deleted, or what they were before. `kept` are the ids of the items that stay,
    by reason.
    """

    record: ImportRecord
    rows: Rows
    ads: tuple[str, ...]
    labels: tuple[Annotation, ...]
    kept: Mapping[str, Sequence[str]]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (len(self.rows) or self.ads or self.labels)

    def facts(self) -> dict[str, Any]:
        """The plan as plain values."""
        deleted = sum(label.standing is Standing.DELETED for label in self.labels)
        return {
            "import": self.record.id,
            "file": self.record.file,
            "at": self.record.at.isoformat(),
            "items": len(self.rows),
            "ads": len(self.ads),
            "labels_taken_back": deleted,
            "labels_put_back": len(self.labels) - deleted,
            "kept": {reason: list(ids) for reason, ids in self.kept.items()},
        }


def plan_undo(service: Service, import_id: str | None) -> UndoPlan:
    """What taking back this import would do now (None: the last one): after an interrupted call
    the rest, after a complete one nothing.

    Raises LedgerError if there is no such import.
    """
    record = service.ledger.imports.find(import_id)
    pool, annotations = service.pool, service.ledger.annotations()
    labels = _former_labels(service, record, annotations)
    erased = pool.column("erased")
    rows = _rows_added(service, record, erased)
    ids = pool.column("id", len(erased))[rows].tolist()
    kept = reasons_to_keep(ids, _uses(service, annotations, labels), _synthetic(service, erased))
    by_reason = {
        reason: [name for name in ids if kept.get(name) == reason]
        for reason in (ANSWERED, ASKED, LEARNED, COPIED)
    }
    removed = rows[[name not in kept for name in ids]]
    return UndoPlan(
        record=record,
        rows=removed,
        ads=tuple(sorted(_ads_without_items(service, record, removed))),
        labels=tuple(labels.values()),
        kept={reason: ids for reason, ids in by_reason.items() if ids},
    )


def undo(service: Service, import_id: str | None) -> UndoPlan:
    """Takes back an import (None: the last one), and returns what was done. Repeatable: after a
    failure, the same call does the rest.

    Raises LedgerError if there is no such import, or while a service runs on the workspace: it
    would go on with items that are gone.
    """
    with _without_service(service):
        plan = plan_undo(service, import_id)
        now = datetime.now(UTC)
        # Labels first: an item without its label is harmless, a label without its item is not.
        service.ledger.record(plan.labels)
        if len(plan.rows) or plan.ads:
            service.pool.remove(plan.rows, plan.ads)
        if plan.record.undone_at is None or not plan.is_empty:
            service.ledger.imports.save(
                replace(plan.record, undone_at=now, adding_items=(), adding_ads=())
            )
            kept = {reason: len(ids) for reason, ids in plan.kept.items()}
            service.ledger.control.note(Event.IMPORT_UNDONE, plan.facts() | {"kept": kept}, now)
        return plan


def reasons_to_keep(
    ids: Sequence[str], uses: Mapping[str, Set[str]], synthetic: Sequence[Item]
) -> dict[str, str]:
    """Why items with these ids have to stay: the first of the `uses` (ids of items by reason) that
    names them, or COPIED if a synthetic item that stays was made from them."""
    ours = set(ids)
    kept = {name: reason for reason, used in reversed([*uses.items()]) for name in ours & used}
    by_id = {item.id: item for item in synthetic}
    waiting = [item for item in synthetic if item.id not in ours or item.id in kept]
    while waiting:
        for parent in waiting.pop().parents:
            if parent in ours and parent not in kept:
                kept[parent] = COPIED
                waiting += filter(None, [by_id.get(parent)])
    return kept


def check_no_service(service: Service) -> None:
    """Raises LedgerError while a service runs on the workspace."""
    lease = service.ledger.control.lease(SCHEDULER_LEASE)
    if lease is not None and not has_passed(lease.until, datetime.now(UTC)):
        raise _service_is_running(lease)


def _service_is_running(lease: Lease) -> LedgerError:
    return LedgerError(
        f"{lease.owner} runs the loop of this workspace, and would go on with items that are gone; "
        "stop it (Ctrl-C) or, if it was killed, wait for the end of its claim at "
        f"{lease.until.astimezone():%H:%M:%S}; then run the command again"
    )


@contextmanager
def _without_service(service: Service) -> Iterator[None]:
    """Keeps services from working on the workspace within the block. Raises LedgerError."""
    control, owner = service.ledger.control, service.owner
    former = control.lease(SCHEDULER_LEASE)
    if not control.hold_lease(SCHEDULER_LEASE, owner, datetime.now(UTC), LEASE_SECONDS):
        lease = control.lease(SCHEDULER_LEASE)
        assert lease is not None
        raise _service_is_running(lease)
    try:
        yield
    finally:
        # This was no service: what is known of the last one must stay as it was.
        control.return_lease(SCHEDULER_LEASE, owner, former)


def _former_labels(
    service: Service, record: ImportRecord, annotations: Sequence[Annotation]
) -> dict[str, Annotation]:
    """For each label of the import that is still valid, by its key, what is to be valid instead:
    what was valid before, or that it is deleted."""
    # Not a label of an import that was taken back while the label of a later one held.
    undone = [other.at for other in service.ledger.imports.all() if other.undone_at]
    before = {a.key: a for a in service.ledger.annotations_before(record.at, undone)}
    now = datetime.now(UTC)
    return {
        a.key: before.get(a.key) or replace(a, standing=Standing.DELETED, at=now)
        for a in annotations
        if a.at == record.at and a.task_id is None
    }


def _rows_added(service: Service, record: ImportRecord, erased: NDArray[np.bool_]) -> Rows:
    """The rows that the import filled, sorted, without those that are erased or removed.

    Another import may have added since what one that was killed was adding, and may have filled
    the same rows again after an older copy of the pool was put in place.
    """
    ours = np.zeros(len(erased), dtype=np.bool_)
    known = service.pool.rows_of(record.adding_items)
    ours[known[(known >= 0) & (known < len(erased))]] = True
    for other in service.ledger.imports.all():
        for first, stop in other.rows:
            ours[first:stop] = other.id == record.id
    return np.flatnonzero(ours & ~erased)


def _uses(
    service: Service, annotations: Sequence[Annotation], labels: Mapping[str, Annotation]
) -> dict[str, Set[str]]:
    """The ids of items that something depends on, by reason. Labels of the import itself do not
    count, but what is valid instead of them does."""
    valid = [labels.get(a.key, a) for a in annotations]
    ledger = service.ledger
    selected = {selection.item_id for _, selection in ledger.live_selections()}
    return {
        ANSWERED: {a.item_id for a in valid if a.standing is not Standing.DELETED},
        ASKED: ledger.pushed_items() | selected,
        LEARNED: ledger.models.trained_on_by_all(),
    }


def _synthetic(service: Service, erased: NDArray[np.bool_]) -> list[Item]:
    origins = service.pool.column("origin", len(erased))
    return service.pool.items(np.flatnonzero((origins == Origin.SYNTHETIC) & ~erased))


def _ads_without_items(service: Service, record: ImportRecord, removed: Rows) -> Set[str]:
    """The ads of these rows, and those that the import was adding, of which nothing is left once
    the rows are removed."""
    ad_ids = service.pool.column("ad_id")
    ads = {*ad_ids[removed].tolist(), *service.pool.ads(record.adding_ads)} - {""}
    ad_ids[removed] = ""
    return ads - set(ad_ids[np.isin(ad_ids, sorted(ads))].tolist())
