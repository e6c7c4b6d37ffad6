"""Imports a file into the pool: ads are cut into items, labelled rows become one item each.

Bad rows are written to a rejects file; the other rows are imported. Importing the same file again
adds nothing, so an interrupted import is completed by repeating it.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TextIO

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.item import Ad, Item, gold_item, item_id, real_item, seed_item
from biasloop.domain.label import LabelSource, Scheme
from biasloop.domain.split import split_of
from biasloop.errors import WorkspaceError
from biasloop.intake.files import BadRow
from biasloop.intake.rows import EXCERPT_CHARACTERS, Reject, Row, read_rows
from biasloop.intake.sentences import sentences
from biasloop.ports import Pool

Unit = Literal["sentence", "text"]

# A batch is about one shard of the pool, and is held in memory.
BATCH_ROWS = 45_000
BATCH_CHARS = 4 * 2**20
MAX_RECORDED = 1_000
"""Maximum number of annotations that are recorded at a time."""

_ANNOTATORS = {LabelSource.SEED: "seed", LabelSource.GOLD: "gold"}
"""The annotator of imported labels by their source; "import" for other sources."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """Numbers of an import: `ads` and `items` that are new in the pool, `duplicates` (rows that
    were in the pool already), `rejects`, and `labelled` (rows whose labels were recorded, even if
    they had been recorded before). `rejects_file` is None if there are no rejects."""

    ads: int
    items: int
    duplicates: int
    rejects: int
    labelled: int
    rejects_file: Path | None


def import_file(
    path: Path,
    *,
    pool: Pool,
    scheme: Scheme,
    unit: Unit,
    language: str,
    campaign_seed: int,
    label_source: LabelSource,
    columns: Mapping[str, str],
    record: Callable[[Sequence[Annotation]], object],
    now: datetime,
    policy_id: str,
    rejects_folder: Path,
    progress: Callable[[int], None],
) -> ImportReport:
    """Imports a file or folder; see biasloop.intake.files for the supported kinds.

    A row without labels is an ad, which is cut into sentences, or is one item if `unit` is "text".
    A row with labels is never cut: it is a seed if `label_source` is SEED, a gold item if it is
    GOLD, and otherwise (HUMAN) an ad with one item, in the split of its id. Its labels are passed
    to `record` after the item is in the pool, at most MAX_RECORDED at a time; `record` must accept
    the same annotation again.

    `columns` and `progress` are those of `read_rows`. Raises DataError if the file cannot be read,
    PoolError if the pool cannot be written, and WorkspaceError if the rejects file cannot be
    written.
    """
    stamp = now.strftime("%Y%m%dT%H%M%S")
    with _RejectsFile(rejects_folder / f"{path.stem}-{stamp}.rejects.jsonl") as rejects:
        importer = _Importer(
            pool=pool,
            scheme=scheme,
            unit=unit,
            language=language,
            campaign_seed=campaign_seed,
            label_source=label_source,
            policy_id=policy_id,
            now=now,
            record=record,
            reject=rejects.add,
        )
        for batch in _batches(read_rows(path, columns, progress), rejects.add):
            importer.add(batch)
        return ImportReport(
            ads=importer.ads,
            items=importer.items,
            duplicates=importer.duplicates,
            rejects=rejects.count,
            labelled=importer.labelled,
            rejects_file=rejects.path if rejects.count else None,
        )


def _batches(rows: Iterator[Row | Reject], reject: Callable[[Reject], None]) -> Iterator[list[Row]]:
    """Yields the good rows in batches that fit into memory; passes the others to `reject`."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        if isinstance(row, Reject):
            reject(row)
            continue
        batch.append(row)
        size += len(row.text)
        if len(batch) == BATCH_ROWS or size >= BATCH_CHARS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


@dataclass(slots=True, kw_only=True)
class _Importer:
    """Adds batches of rows to pool and ledger, and counts what was added."""

    pool: Pool
    scheme: Scheme
    unit: Unit
    language: str
    campaign_seed: int
    label_source: LabelSource
    policy_id: str
    now: datetime
    record: Callable[[Sequence[Annotation]], object]
    reject: Callable[[Reject], None]
    labels_so_far: dict[str, tuple[int, frozenset[str]]] = field(default_factory=dict)
    """Line and labels of every labelled row so far, by item id."""
    ads: int = 0
    items: int = 0
    duplicates: int = 0
    labelled: int = 0

    def add(self, rows: Sequence[Row]) -> None:
        """Adds the rows that are new. Raises PoolError."""
        ads_before = self.pool.ads([self._ad_id(row) for row in rows if not self._is_seed(row)])
        ads: dict[str, Ad] = {}
        items: list[Item] = []
        first_ids: list[str] = []
        votes: list[Annotation] = []
        for row in rows:
            try:
                ad, row_items = self._ad_and_items(row)
                if ad is not None:
                    _check_same_ad(ad, ads_before.get(ad.id) or ads.get(ad.id))
                if row.labels is not None:
                    votes.append(self._vote(row, row.labels, row_items[0]))
            except BadRow as reason:
                self.reject(Reject(row.line, str(reason), row.text[:EXCERPT_CHARACTERS]))
                continue
            if ad is not None:
                ads[ad.id] = ad
            items += row_items
            first_ids.append(row_items[0].id)
        # A row is in the pool already if its first item is.
        pool_rows = self.pool.rows_of(first_ids)
        new_ids = {first for first, row in zip(first_ids, pool_rows, strict=True) if row < 0}
        self.items += self.pool.append(items, ads.values())[0]
        self.ads += len(ads.keys() - ads_before.keys())
        self.duplicates += len(first_ids) - len(new_ids)
        # After the pool, so that no label lacks its item if the import is interrupted here.
        for start in range(0, len(votes), MAX_RECORDED):
            self.record(votes[start : start + MAX_RECORDED])
        self.labelled += len(votes)

    def _is_seed(self, row: Row) -> bool:
        return row.labels is not None and self.label_source is LabelSource.SEED

    @property
    def _is_gold(self) -> bool:
        return self.label_source is LabelSource.GOLD

    def _ad_id(self, row: Row) -> str:
        """The row's id, or a hash of its text if it has none."""
        row_id = row.id or item_id("", 0, len(row.text), row.text)
        return f"gold:{row_id}" if self._is_gold else row_id

    def _ad_and_items(self, row: Row) -> tuple[Ad | None, list[Item]]:
        """The ad of the row (None for a seed), and its items, at least one. Raises BadRow."""
        if self._is_seed(row):
            return None, [seed_item(f"seed:{row.root or self._ad_id(row)}", row.text, row.group)]
        text = row.context if self._is_gold and row.context else row.text
        ad = Ad(self._ad_id(row), text, row.title, row.language or self.language, row.source)
        if self._is_gold:
            return ad, [_gold_item(row, ad)]
        spans = [(0, len(ad.text))]
        if self.unit == "sentence" and row.labels is None:
            spans = sentences(ad.text, ad.language)
        if not spans:
            raise BadRow("no sentence in the text")
        split = split_of(ad.id, self.campaign_seed)
        return ad, [real_item(ad, start, end, split, row.group) for start, end in spans]

    def _vote(self, row: Row, labels: tuple[str, ...], item: Item) -> Annotation:
        """The vote of the row on its item. Raises BadRow if its labels are invalid, or differ from
        those of an earlier row with the same item."""
        if reason := self.scheme.reason_to_set_aside(labels):
            choices = ", ".join(self.scheme.choices)
            raise BadRow(f"{reason}: {', '.join(labels) or 'no label'}; the labels are: {choices}")
        line, first = self.labels_so_far.setdefault(item.id, (row.line, frozenset(labels)))
        if first != frozenset(labels):
            raise BadRow(f"line {line} has the same text with other labels: {', '.join(first)}")
        return Annotation(
            key=f"{self.label_source}:{item.id}",
            item_id=item.id,
            source=self.label_source,
            standing=Standing.VOTE,
            labels=labels,
            asked=self.scheme.labels,
            policy_id=self.policy_id,
            annotator=_ANNOTATORS.get(self.label_source, "import"),
            at=self.now,
            extra=row.extra,
        )


def _gold_item(row: Row, ad: Ad) -> Item:
    if row.labels is None:
        raise BadRow("a gold row must have labels")
    start = ad.text.find(row.text)
    if start < 0:
        raise BadRow("the text does not occur in its context")
    return gold_item(ad, start, start + len(row.text), row.group)


def _check_same_ad(ad: Ad, before: Ad | None) -> None:
    """Raises BadRow if the ad with the same id in `before` was taken down or has another text."""
    if before is not None and not before.text:
        raise BadRow(f"ad {ad.id!r} was taken down and cannot be imported again")
    if before is not None and before.text != ad.text:
        raise BadRow(f"ad {ad.id!r} exists with a different text; give this one another id")


class _RejectsFile:
    """The rejects file. It is created with the first reject."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, reject: Reject) -> None:
        """Writes a reject. Raises WorkspaceError if the file cannot be written."""
        self.count += 1
        try:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.path.open("w", encoding="utf-8", errors="backslashreplace")
            self._file.write(json.dumps(asdict(reject), ensure_ascii=False) + "\n")
        except OSError as error:
            raise WorkspaceError(
                f"cannot write {self.path}: {error.strerror}; check free space and permissions"
            ) from error
