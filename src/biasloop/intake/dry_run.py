"""A pool that tells what an import would add, and writes nothing."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Rows
from biasloop.domain.item import Ad, Item
from biasloop.ports import Pool


class DryPool:
    """What an import asks of a pool; what it adds is kept in memory, as ids and ads."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._ids: set[str] = set()
        self._ads: dict[str, Ad] = {}

    def __len__(self) -> int:
        return len(self._pool) + len(self._ids)

    def append(self, items: Iterable[Item], ads: Iterable[Ad] = ()) -> tuple[int, int]:
        """Counts the items whose id is new: (added, duplicates)."""
        ids = [item.id for item in items]
        new = {name for name, row in zip(ids, self.rows_of(ids), strict=True) if row < 0}
        self._ids |= new
        self._ads |= {ad.id: ad for ad in ads}
        return len(new), len(ids) - len(new)

    def rows_of(self, item_ids: Sequence[str]) -> Rows:
        """The row of each item id, -1 if unknown; of those that would be new, some row."""
        rows = self._pool.rows_of(item_ids)
        added = np.array([name in self._ids for name in item_ids], dtype=bool)
        return np.where(added, len(self._pool), rows)

    def texts(self, rows: Sequence[int] | Rows) -> list[str]:
        """The texts of these rows; of items that would be new, a text that is not empty."""
        return ["-" if row >= len(self._pool) else self._pool.texts([row])[0] for row in rows]

    def items(self, rows: Sequence[int] | Rows) -> list[Item]:
        """The items of these rows of the pool."""
        return self._pool.items(rows)

    def column(self, name: str) -> NDArray[Any]:
        """A column of the pool, without what would be new."""
        return self._pool.column(name)

    def ads(self, ad_ids: Sequence[str]) -> dict[str, Ad]:
        """Ads by id, without unknown ids."""
        added = {ad_id: self._ads[ad_id] for ad_id in ad_ids if ad_id in self._ads}
        return added | self._pool.ads(ad_ids)
