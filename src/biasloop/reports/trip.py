"""What happened to an item."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from biasloop.domain.item import Item
from biasloop.errors import PoolError
from biasloop.service.service import Service


@dataclass(frozen=True, slots=True)
class Trip:
    """An item with every fact about it, in order."""

    item: Item
    facts: Sequence[Mapping[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        item = self.item
        return {"item": item.id, "text": item.text, "split": item.split, "facts": self.facts}


def trip(service: Service, item_id: str) -> Trip:
    """The trip of an item. Raises PoolError when there is none of that id."""
    row = int(service.pool.rows_of([item_id])[0])
    if row < 0:
        raise PoolError(
            f"there is no item {item_id!r} in the pool; `biasloop export` lists the ids"
        )
    return Trip(service.pool.items([row])[0], service.ledger.trip(item_id))
