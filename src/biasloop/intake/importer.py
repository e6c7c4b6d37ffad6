"""Adds rows to pool and ledger: decides the ad, the items and the vote of each row."""

from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from itertools import chain
from typing import Any, Literal, Protocol

from biasloop.domain.annotation import RANDOM_SAMPLE, Annotation, Standing
from biasloop.domain.batch import Rows
from biasloop.domain.item import Ad, Item, gold_item, real_item, seed_item
from biasloop.domain.label import LabelSource, Scheme
from biasloop.domain.split import split_of
from biasloop.domain.votes.consensus import ItemLabel
from biasloop.intake.exported import SEED_ROOT, ExportedItem, restore_item
from biasloop.intake.known_ads import check_same_ad, has_other_columns, may_be
from biasloop.intake.record import BadRow
from biasloop.intake.recut import PoolOfItems, ads_cut_otherwise
from biasloop.intake.rows import EXCERPT_CHARACTERS, Reject, Row
from biasloop.intake.sentences import sentences
from biasloop.intake.values import whole_number

Unit = Literal["sentence", "text"]

MAX_RECORDED = 1_000
"""Maximum number of annotations that are recorded at a time."""

_ANNOTATORS = {LabelSource.SEED: "seed", LabelSource.GOLD: "gold"}
"""The annotator of imported labels by their source; "import" for other sources."""


class ImportPool(PoolOfItems, Protocol):
    """The part of ports.Pool that an import needs."""

    def __len__(self) -> int: ...
    def append(self, items: Iterable[Item], ads: Iterable[Ad] = ()) -> tuple[int, int]: ...
    def rows_of(self, item_ids: Sequence[str]) -> Rows: ...
    def texts(self, rows: Sequence[int] | Rows) -> list[str]: ...
    def ads(self, ad_ids: Sequence[str]) -> dict[str, Ad]: ...


@dataclass(kw_only=True)
class Importer:
    """Adds batches of rows to pool and ledger, and counts what was added."""

    pool: ImportPool
    scheme: Scheme
    unit: Unit
    language: str
    campaign_seed: int
    label_source: LabelSource | None
    random_sample: bool
    policy_id: str
    now: datetime
    record: Callable[[Sequence[Annotation]], object]
    reject: Callable[[Reject], None]
    current_labels: Callable[[], Mapping[str, ItemLabel]]
    labels_so_far: dict[str, tuple[int, frozenset[str]]] = field(default_factory=dict)
    """Line and labels of every labelled row so far, by item id."""
    ads: int = 0
    items: int = 0
    duplicates: int = 0
    labelled: int = 0
    columns: dict[str, None] = field(default_factory=dict)
    """The names of the columns of the new ads."""
    other_columns: int = 0
    """Rows of known ads that have other columns than the ad."""

    def add(self, rows: Sequence[Row]) -> None:
        """Adds the rows that are new. Raises PoolError."""
        rows = [self._with_known_labels(row) for row in self._with_known_ids(rows)]
        ads_before = self.pool.ads(self._ad_ids(rows))
        erased = self._erased(rows)
        ads: dict[str, Ad] = {}
        items: list[Item] = []
        unlabelled: list[Item] = []
        first_ids: list[str] = []
        votes: list[Annotation] = []
        for row in rows:
            try:
                if row.exported and row.exported.id in erased:
                    raise BadRow(f"item {row.exported.id!r} was taken down")
                ad, row_items = self._ad_and_items(row, ChainMap(ads, ads_before))
                vote = self._vote(row, row_items[0])
            except BadRow as reason:
                excerpt = row.text[:EXCERPT_CHARACTERS]
                self.reject(Reject(row.line, str(reason), excerpt, row.id))
                continue
            if vote is not None:
                votes.append(vote)
            if ad is not None:
                before = ads_before.get(ad.id) or ads.setdefault(ad.id, ad)
                self.other_columns += has_other_columns(ad, before)
            (items if row.labels is not None or row.exported else unlabelled).extend(row_items)
            first_ids.append(row_items[0].id)
        cut_otherwise = ads_cut_otherwise(self.pool, ads_before, unlabelled)
        items += [item for item in unlabelled if item.ad_id not in cut_otherwise]
        # A row is in the pool already if its first item is, or its ad in another cut.
        ids = {item.id for item in items}
        pool_rows = self.pool.rows_of(first_ids)
        new_ids = {
            first
            for first, row in zip(first_ids, pool_rows, strict=True)
            if row < 0 and first in ids
        }
        self.items += self.pool.append(items, ads.values())[0]
        self.ads += len(ads)
        self.columns |= dict.fromkeys(chain.from_iterable(ad.columns for ad in ads.values()))
        self.duplicates += len(first_ids) - len(new_ids)
        # After the pool, so that no label lacks its item if the import is interrupted here.
        for start in range(0, len(votes), MAX_RECORDED):
            self.record(votes[start : start + MAX_RECORDED])
        self.labelled += len(votes)

    def _with_known_ids(self, rows: Sequence[Row]) -> list[Row]:
        """The rows; those that are in the pool under another id than they get today keep it."""
        others = [
            (position, replace(row, id=other))
            for position, row in enumerate(rows)
            for other in (*row.former_ids, *filter(None, [row.spare_id]))
        ]
        known = list(rows)
        if not others or not len(self.pool):
            return known
        contents = [self._ad_and_first_item(row) for _, row in others]
        pool_rows = self.pool.rows_of([item.id if item else "" for _, item in contents])
        ads = self.pool.ads([ad.id for ad, _ in contents if ad])
        for (position, row), (ad, _), pool_row in zip(others, contents, pool_rows, strict=True):
            # An ad that an earlier version cut otherwise has another first item.
            if pool_row >= 0 or (ad is not None and ad.id in ads and may_be(ad, ads[ad.id])):
                known[position] = row
        return known

    def _with_known_labels(self, row: Row) -> Row:
        """The row; a label such as "1.0" is "1" if that is a label and "1.0" is not, and a label
        that was renamed has its present name."""
        scheme = self.scheme
        if row.labels is None or set(row.labels) <= set(scheme.choices):
            return row
        labels = (x if x in scheme.choices else whole_number(x) for x in row.labels)
        return replace(row, labels=tuple(map(scheme.current_name, labels)))

    def _ad_and_first_item(self, row: Row) -> tuple[Ad | None, Item | None]:
        """The ad of the row and its first item; None for both if the row is rejected."""
        try:
            ad, items = self._make(row)
        except BadRow:
            return None, None
        return ad, items[0]

    def _ad_ids(self, rows: Sequence[Row]) -> list[str]:
        ids = [self._ad_id(row) for row in rows if not self._is_seed(row)]
        return ids + [row.spare_id for row in rows if row.spare_id]

    def _erased(self, rows: Sequence[Row]) -> set[str]:
        """The ids of the exported items that were taken down here."""
        ids = [row.exported.id for row in rows if row.exported]
        known = [
            (name, at) for name, at in zip(ids, self.pool.rows_of(ids), strict=True) if at >= 0
        ]
        texts = self.pool.texts([at for _, at in known])
        return {name for (name, _), text in zip(known, texts, strict=True) if not text}

    def _is_seed(self, row: Row) -> bool:
        seed = self.label_source in (None, LabelSource.SEED)
        return row.labels is not None and row.exported is None and seed

    @property
    def _is_gold(self) -> bool:
        return self.label_source is LabelSource.GOLD

    def _ad_id(self, row: Row) -> str:
        if row.exported is not None:
            return row.exported.ad_id
        return f"gold:{row.ad_id}" if self._is_gold else row.ad_id

    def _ad_and_items(self, row: Row, ads: Mapping[str, Ad]) -> tuple[Ad | None, list[Item]]:
        """The ad of the row (None for a seed), and its items, at least one; under the row's spare
        id if another of the `ads` has its id. Raises BadRow."""
        if row.exported is not None:
            return self._restore(row.exported, ads)
        ad, items = self._make(row)
        if ad is None:
            return None, items
        if row.spare_id and ad.id in ads and not may_be(ad, ads[ad.id]):
            return self._ad_and_items(replace(row, id=row.spare_id, spare_id=""), ads)
        check_same_ad(ad, ads.get(ad.id))
        return ad, items

    def _restore(
        self, exported: ExportedItem, ads: Mapping[str, Ad]
    ) -> tuple[Ad | None, list[Item]]:
        """The item of an export and its ad. Raises BadRow."""
        ad = ads.get(exported.ad_id)
        if ad is None and exported.ad_id:
            if exported.start > 0 or self.unit == "sentence":  # then it may be the ad's beginning
                raise BadRow(
                    f"ad {exported.ad_id!r} is not in the pool; import the table of ads of the "
                    "same export first"
                )
            ad = Ad(exported.ad_id, exported.text, language=self.language)
        return ad, [restore_item(exported, ad, self.campaign_seed)]

    def _make(self, row: Row) -> tuple[Ad | None, list[Item]]:
        """The ad of the row (None for a seed), and its items, at least one. Raises BadRow."""
        if self._is_seed(row):
            root = f"{SEED_ROOT}{row.root or self._ad_id(row)}"
            return None, [seed_item(root, row.text, row.group)]
        text = row.context if self._is_gold and row.context else row.text
        language = row.language or self.language
        ad = Ad(self._ad_id(row), text, row.title, language, row.source, row.columns)
        if self._is_gold:
            return ad, [_gold_item(row, ad)]
        spans = [(0, len(ad.text))]
        if self.unit == "sentence" and row.labels is None:
            spans = sentences(ad.text, ad.language)
        if not spans:
            raise BadRow("no sentence in the text")
        split = split_of(ad.id, self.campaign_seed)
        return ad, [real_item(ad, start, end, split, row.group) for start, end in spans]

    @cached_property
    def _labels_before(self) -> Mapping[str, ItemLabel]:
        """The labels of items before the import, by item id."""
        return self.current_labels()

    def _vote(self, row: Row, item: Item) -> Annotation | None:
        """The vote of the row on its item; None if it has no labels, or if it comes from an export
        and the item has these labels already. Raises BadRow if the labels are invalid, or differ
        from those that the item has, or from those of an earlier row."""
        if row.labels is None:
            return None
        before = self._labels_before.get(item.id) if row.exported else None
        if before is not None:
            if set(before.labels) == set(row.labels):
                return None
            raise BadRow(
                f"item {item.id!r} is labelled {_listed(before.labels)} here, not "
                f"{_listed(row.labels)}; an import never changes labels: correct them in Label "
                "Studio"
            )
        if reason := self.scheme.reason_to_set_aside(row.labels):
            choices = ", ".join(self.scheme.choices)
            raise BadRow(f"{reason}: {_listed(row.labels)}; the labels are: {choices}")
        line, first = self.labels_so_far.setdefault(item.id, (row.line, frozenset(row.labels)))
        if first != frozenset(row.labels):
            raise BadRow(f"line {line} has the same text with other labels: {_listed(first)}")
        source = self._source(row)
        return Annotation(
            key=f"{source}:{item.id}",
            item_id=item.id,
            source=source,
            standing=Standing.VOTE,
            labels=row.labels,
            asked=self._asked(row),
            policy_id=self.policy_id,
            annotator=_ANNOTATORS.get(source, "import"),
            at=self.now,
            extra=self._extra(row),
        )

    def _source(self, row: Row) -> LabelSource:
        """Whose labels they are. Raises BadRow if a row of an export does not say it."""
        if row.exported is None:
            return self.label_source or LabelSource.SEED
        source = row.exported.label_source or self.label_source
        if source is None:
            raise BadRow("the row has labels, but its label_source is empty; fill it in")
        return source

    def _extra(self, row: Row) -> Mapping[str, Any]:
        """What else is recorded with the row's labels. Rows of an export are never marked as a
        random sample: it does not say how they were drawn."""
        marked = self.random_sample and row.exported is None
        return {**row.extra, RANDOM_SAMPLE: True} if marked else row.extra

    def _asked(self, row: Row) -> tuple[str, ...]:
        """The labels that the row was asked about."""
        asked = row.exported.asked if row.exported else ()
        return tuple(label for label in asked if label in self.scheme.labels) or self.scheme.labels


def _listed(labels: Sequence[str] | frozenset[str]) -> str:
    return ", ".join(sorted(labels)) or "no label"


def _gold_item(row: Row, ad: Ad) -> Item:
    if row.labels is None:
        raise BadRow("a gold row must have labels")
    start = ad.text.find(row.text)
    if start < 0:
        raise BadRow("the text does not occur in its context")
    return gold_item(ad, start, start + len(row.text), row.group)
