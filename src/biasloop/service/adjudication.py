"""Adjudication: a named person who has seen the votes on an item decides which labels it has."""

from collections.abc import Collection
from datetime import UTC, datetime

from biasloop.domain.annotation import WHY, Annotation, Standing
from biasloop.domain.label import BY_PEOPLE, LabelSource
from biasloop.errors import DataError, PoolError
from biasloop.service.service import Service
from biasloop.service.trial import MAX_COMMENT, MAX_NAME


def adjudicate(
    service: Service, item_id: str, labels: Collection[str], by: str, why: str
) -> Annotation:
    """Records what `by` decides, and `why`; returns the new annotation. It outweighs the votes on
    the item, which stay. A former decision stays in the ledger as an earlier version.

    Raises PoolError when there is no such item, DataError when people have said nothing about it,
    or when labels, name or reason cannot be used.
    """
    by, why = by.strip(), why.strip()
    _check_item(service, item_id)
    for what, value, limit in (("name", by, MAX_NAME), ("reason", why, MAX_COMMENT)):
        if not 0 < len(value) <= limit:
            raise DataError(f"a {what} must have 1 to {limit} characters, not {len(value)}")
    scheme = service.campaign.scheme
    unclear = None if not labels and scheme.blank_means_none else scheme.reason_to_set_aside(labels)
    if unclear:
        raise DataError(f"{unclear}; the labels are {', '.join(scheme.choices)}")
    chosen = {scheme.current_name(label) for label in labels}
    decision = Annotation(
        key=f"{LabelSource.ADJUDICATED}:{item_id}",
        item_id=item_id,
        source=LabelSource.ADJUDICATED,
        standing=Standing.VOTE,
        labels=tuple(label for label in scheme.choices if label in chosen),
        asked=scheme.labels,
        policy_id=service.current_policy.id,
        annotator=by,
        at=datetime.now(UTC),
        extra={WHY: why},
    )
    service.ledger.record([decision])
    return decision


def _check_item(service: Service, item_id: str) -> None:
    row = int(service.pool.rows_of([item_id])[0])
    if row < 0 or not service.pool.texts([row])[0]:
        raise PoolError(
            f"there is no item {item_id!r} in the pool, or it was taken down; "
            "`biasloop items --disputed` lists the ids"
        )
    known = service.ledger.annotations_on([item_id])
    if any(a.source is LabelSource.GOLD for a in known):
        raise DataError(f"item {item_id} is a gold item: its answer is known")
    if not any(a.source in BY_PEOPLE and a.standing is not Standing.DELETED for a in known):
        raise DataError(f"nobody has answered item {item_id} yet, so there is nothing to decide")
