"""Groups of ads: by a column of the input, by a field of the ad, or by month."""

from dataclasses import dataclass
from datetime import date
from typing import Self

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Rows
from biasloop.domain.columns import Cell, as_text, column_kinds, escape_unprintable
from biasloop.domain.item import Ad
from biasloop.errors import DataError
from biasloop.service.service import Service

MONTH = "month"
FIELDS = ("source", "language")
"""Fields of an ad that are grouped by like columns of the input."""
NOTHING = "(none)"
"""The group of ads whose cell is empty, and of items that come without an ad."""
MAX_VALUES = 1_000
"""Maximum number of groups: a column with more is not one to group by."""


@dataclass(frozen=True, slots=True)
class Grouping:
    """Names of the groups, sorted, and the `number` (N,) of the group of each item."""

    names: tuple[str, ...]
    number: NDArray[np.int64]

    @classmethod
    def whole(cls, n: int) -> Self:
        """One group, without a name, of all n items."""
        return cls(("",), np.zeros(n, np.int64))


def group_ads(service: Service, rows: Rows, by: str) -> Grouping:
    """Groups the items at these pool rows by their ads. `by` is a column of the input, source,
    language, `month` (of the only column of dates) or `month:COLUMN`.

    Raises DataError if there is no such column, or if it has too many values.
    """
    ads = list(service.pool.all_ads())
    column = _column(ads, by)
    monthly = (by == MONTH and column != by) or by.startswith(f"{MONTH}:")
    name_of = {ad.id: _name(_cell(ad, column), monthly) for ad in ads}
    ids, ad = np.unique(service.pool.column("ad_id")[rows], return_inverse=True)
    name_of_ad = [name_of.get(str(each), NOTHING) for each in ids]
    names, of_ad = np.unique(np.array(name_of_ad, str), return_inverse=True)
    if len(names) > MAX_VALUES:
        raise DataError(
            f"column {column} has {len(names)} different values; group by one with at most "
            f"{MAX_VALUES}, or by month"
        )
    return Grouping(tuple(names.tolist()), of_ad[ad].astype(np.int64))


def group_columns(service: Service) -> list[str]:
    """What can be grouped by: columns with few enough values, and `month` for each of dates."""
    ads = list(service.pool.all_ads())
    kinds = column_kinds(ad.columns for ad in ads)
    few = [
        name
        for name in (*kinds, *FIELDS)
        if 1 < len({as_text(_cell(ad, name)) for ad in ads}) <= MAX_VALUES // 20
    ]
    months = [f"{MONTH}:{name}" for name, kind in kinds.items() if issubclass(kind, date)]
    return [*few, *months]


def _column(ads: list[Ad], by: str) -> str:
    """The column that is meant. Raises DataError."""
    kinds = column_kinds(ad.columns for ad in ads)
    known = [*kinds, *FIELDS]
    if by in known:
        return by
    dates = [name for name, kind in kinds.items() if issubclass(kind, date)]
    if by == MONTH and len(dates) == 1:
        return dates[0]
    of_month = by.removeprefix(f"{MONTH}:")
    if of_month != by and of_month in dates:
        return of_month
    if by == MONTH or of_month != by:
        choice = (
            ", ".join(f"{MONTH}:{escape_unprintable(name)}" for name in dates)
            or "none: no column holds dates"
        )
        raise DataError(f"no month to group by in {by!r}; there is {choice}")
    names = ", ".join(map(escape_unprintable, known))
    raise DataError(
        f"the ads have no column {by!r}; there are: {names}. Columns are kept by "
        "imports from this version on"
    )


def _cell(ad: Ad, column: str) -> Cell:
    if column in ad.columns:
        return ad.columns[column]
    return getattr(ad, column) if column in FIELDS else None


def _name(cell: Cell, monthly: bool) -> str:
    if monthly:
        return f"{cell:%Y-%m}" if isinstance(cell, date) else NOTHING
    return as_text(cell) or NOTHING
