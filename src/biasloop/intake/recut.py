"""Ads that an earlier version of biasloop cut into sentences otherwise than this one."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Rows
from biasloop.domain.item import Item, Origin


class PoolOfItems(Protocol):
    """The part of ports.Pool that tells how its ads are cut."""

    def column(self, name: str) -> NDArray[Any]: ...
    def items(self, rows: Sequence[int] | Rows) -> list[Item]: ...


def ads_cut_otherwise(pool: PoolOfItems, ads: Iterable[str], items: Sequence[Item]) -> set[str]:
    """Which of `ads` have real items in the pool that are not among `items`, the items that this
    version makes of them. They stay as they are, since their items may have votes. An ad of which
    the pool has only a part, because an import was interrupted, is not among them."""
    new: dict[str, set[str]] = defaultdict(set)
    for item in items:
        new[item.ad_id].add(item.id)
    known = sorted(new.keys() & set(ads))
    if not known:
        return set()
    rows = np.flatnonzero(np.isin(pool.column("ad_id"), known))
    return {
        item.ad_id
        for item in pool.items(rows)
        if item.origin is Origin.REAL and item.id not in new[item.ad_id]
    }
