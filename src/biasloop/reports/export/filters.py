"""Which items an export has. A filter that names what does not exist is refused."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from biasloop.domain.batch import Arm
from biasloop.domain.columns import as_text, escape_unprintable
from biasloop.domain.item import Origin
from biasloop.domain.label import MACHINE, LabelSource
from biasloop.domain.split import Split
from biasloop.errors import UnknownName
from biasloop.reports.export.ads import Ads
from biasloop.reports.export.facts import ANNOTATORS
from biasloop.service.service import Service

Mask = NDArray[np.bool_]
Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Filters:
    """An item must satisfy all of them, and of each one of the values. Empty ones do not filter.

    `since` and `until` are days in UTC, both included, of `labelled_at`; `agreement` bounds the
    column of that name from below, `disagreement` from above. `where` are values of columns of the
    input, by name, as text. `source` is that of the ad.
    """

    label: Names = ()
    round: tuple[int, ...] = ()
    origin: Names = ()
    source: Names = ()
    label_source: Names = ()
    split: Names = ()
    policy: Names = ()
    arm: Names = ()
    annotator: Names = ()
    since: date | None = None
    until: date | None = None
    agreement: float | None = None
    disagreement: float | None = None
    where: tuple[tuple[str, str], ...] = ()

    @property
    def given(self) -> dict[str, Any]:
        """Those that filter, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value not in ((), None)}


OF_ITEMS = {"split": "split", "origin": "origin"}
OF_FACTS = {
    "label": "labels",
    "round": "round",
    "label_source": "label_source",
    "policy": "policies",
    "arm": "arm",
    "annotator": ANNOTATORS,
}
"""The columns that filters are about."""


class Sieve:
    """Filters, checked against what there is. Raises UnknownName, which lists the known names."""

    def __init__(
        self, filters: Filters, service: Service, ads: Ads, people: Mapping[str, str]
    ) -> None:
        self._filters, self._ads = filters, ads
        _check_names(filters, service, ads, people)
        accounts = {pseudonym: account for account, pseudonym in people.items()}
        self._people = tuple(accounts[name] for name in filters.annotator)
        self._passing_ads = self._filter_ads()

    def mask(self, items: pa.Table, facts: pa.Table) -> Mask:
        """Which of these items pass, (n,)."""
        passed = np.ones(len(items), dtype=bool)
        for name, values in self._filters.given.items():
            if name in OF_ITEMS:
                passed &= matches(items[OF_ITEMS[name]], values)
            elif name in OF_FACTS:
                named = self._people if name == "annotator" else values
                passed &= matches(facts[OF_FACTS[name]], named)
        if self._passing_ads is not None:
            passed &= matches(items["ad_id"], self._passing_ads)
        return passed & self._in_period(facts) & self._agreed(facts)

    def _in_period(self, facts: pa.Table) -> Mask:
        passed, at = np.ones(len(facts), dtype=bool), facts["labelled_at"]
        if self._filters.since is not None:
            begin = datetime.combine(self._filters.since, time.min, UTC)
            passed &= _true(pc.greater_equal(at, begin))
        if self._filters.until is not None:
            end = datetime.combine(self._filters.until, time.max, UTC)
            passed &= _true(pc.less_equal(at, end))
        return passed

    def _agreed(self, facts: pa.Table) -> Mask:
        passed, share = np.ones(len(facts), dtype=bool), facts["agreement"]
        if self._filters.agreement is not None:
            passed &= _true(pc.greater_equal(share, self._filters.agreement))
        if self._filters.disagreement is not None:
            passed &= _true(pc.less_equal(share, self._filters.disagreement))
        return passed

    def _filter_ads(self) -> pa.Array | None:
        """The ids of the ads that pass; None if all do."""
        if not self._filters.source and not self._filters.where:
            return None
        passed = np.ones(len(self._ads.ids), dtype=bool)
        if self._filters.source:
            passed &= matches(self._ads.sources, self._filters.source)
        by_column: dict[str, list[str]] = {}
        for name, value in self._filters.where:
            by_column.setdefault(name, []).append(value)
        for name, values in by_column.items():
            cells = pa.array(map(as_text, self._ads.kept[name].to_pylist()), pa.string())
            passed &= matches(cells, values)
        return self._ads.ids.filter(pa.array(passed))


def matches(column: pa.ChunkedArray | pa.Array, values: Iterable[Any]) -> Mask:
    """Where a cell is one of the values, or a list that contains one, (n,)."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if not pa.types.is_list(column.type):
        return _true(pc.is_in(column, pa.array(values, column.type)))
    inside = _true(pc.is_in(pc.list_flatten(column), pa.array(values, pa.string())))
    passed = np.zeros(len(column), dtype=bool)
    passed[pc.list_parent_indices(column).to_numpy(zero_copy_only=False)[inside]] = True
    return passed


def _true(answers: pa.ChunkedArray | pa.Array) -> Mask:
    """An empty cell passes no filter."""
    return np.asarray(pc.fill_null(answers, False).to_numpy(zero_copy_only=False), dtype=bool)


def _check_names(filters: Filters, service: Service, ads: Ads, people: Mapping[str, str]) -> None:
    """Raises UnknownName for the first value that nothing can have."""
    known: dict[str, Iterable[Any]] = {
        "label": service.campaign.scheme.choices,
        "round": [round_.id for round_ in service.ledger.rounds.all()],
        "origin": list(Origin),
        "source": sorted(filter(None, pc.unique(ads.sources).to_pylist())),
        "label_source": [*LabelSource, MACHINE],
        "split": list(Split),
        "policy": [policy.id for _, policy in service.ledger.policies.all()],
        "arm": list(Arm),
        "annotator": people.values(),
    }
    for name, values in known.items():
        for value in getattr(filters, name):
            check_name(name.replace("_", " "), value, values)
    for name, _ in filters.where:
        check_name("column of the input", name, ads.kinds)


def check_name(what: str, name: Any, known: Iterable[Any]) -> None:
    """Raises UnknownName, which lists the first known ones, if the name is not among them."""
    known = list(known)
    if name not in known:
        listed = ", ".join(escape_unprintable(str(one)) for one in known[:30]) or "none"
        more = f" and {len(known) - 30} more" if len(known) > 30 else ""
        raise UnknownName(f"no {what} {str(name)!r}; known: {listed}{more}")
