"""Brings a file into the pool: ads cut into items, labelled rows whole with their labels.

Bad rows go to a rejects file and cost nothing else. The same file again adds nothing; a killed
import is mended by doing it again.
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
from biasloop.intake.rows import EXCERPT, Reject, Row, read_rows
from biasloop.intake.sentences import sentences
from biasloop.ports import Pool

Unit = Literal["sentence", "text"]

# What is held in memory at once: about one shard of the pool.
BATCH_ROWS = 45_000
BATCH_CHARS = 4 * 2**20
RECORD_ROWS = 1_000

_SIGNED = {LabelSource.SEED: "seed", LabelSource.GOLD: "gold"}


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import came to. `ads` and `items` are new in the pool; `duplicates` are rows that
    were in it already; `labelled` are the labels recorded, again or for the first time."""

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
    """Imports a file or folder; see biasloop.intake.files for the kinds.

    A row without labels is an ad and cut into sentences, or one item if `unit` is "text". A row
    with labels is never cut: it is a seed if `label_source` is SEED, a gold item if it is GOLD,
    else (HUMAN) an ad of one item, in the split of its id. Its labels go to `record`, up to 1,000
    at a time, after the item is in the pool; `record` must bear the same annotation twice.

    `columns` and `progress` are those of `read_rows`. Raises DataError when the file cannot be
    read at all, PoolError when the pool cannot be written.
    """
    stamp = now.strftime("%Y%m%dT%H%M%S")
    with _Rejects(rejects_folder / f"{path.stem}-{stamp}.rejects.jsonl") as rejects:
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
            importer.take(batch)
        return ImportReport(
            ads=importer.ads,
            items=importer.items,
            duplicates=importer.duplicates,
            rejects=rejects.count,
            labelled=importer.labelled,
            rejects_file=rejects.path if rejects.count else None,
        )


def _batches(rows: Iterator[Row | Reject], reject: Callable[[Reject], None]) -> Iterator[list[Row]]:
    """The good rows, in lists that fit into memory."""
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
    """Takes batches of rows into pool and ledger, and counts."""

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
    said: dict[str, tuple[int, frozenset[str]]] = field(default_factory=dict)
    """Line and labels of every labelled item so far."""
    ads: int = 0
    items: int = 0
    duplicates: int = 0
    labelled: int = 0

    def take(self, rows: Sequence[Row]) -> None:
        """Adds what is new in these rows. Raises PoolError."""
        known = self.pool.ads([self._ad_id(row) for row in rows if not self._is_seed(row)])
        ads: dict[str, Ad] = {}
        items: list[Item] = []
        firsts: list[str] = []
        votes: list[Annotation] = []
        for row in rows:
            try:
                ad, cut = self._cut(row)
                if ad is not None:
                    _same(ad, known.get(ad.id) or ads.get(ad.id))
                if row.labels is not None:
                    votes.append(self._vote(row, row.labels, cut[0]))
            except BadRow as why:
                self.reject(Reject(row.line, str(why), row.text[:EXCERPT]))
                continue
            if ad is not None:
                ads[ad.id] = ad
            items += cut
            firsts.append(cut[0].id)
        # A row is known if its first item is.
        rows_before = self.pool.rows_of(firsts)
        new_rows = {first for first, row in zip(firsts, rows_before, strict=True) if row < 0}
        self.items += self.pool.append(items, ads.values())[0]
        self.ads += len(ads.keys() - known.keys())
        self.duplicates += len(firsts) - len(new_rows)
        # Only now: a kill before this line is mended by importing again.
        for begin in range(0, len(votes), RECORD_ROWS):
            self.record(votes[begin : begin + RECORD_ROWS])
        self.labelled += len(votes)

    def _is_seed(self, row: Row) -> bool:
        return row.labels is not None and self.label_source is LabelSource.SEED

    @property
    def _is_gold(self) -> bool:
        return self.label_source is LabelSource.GOLD

    def _ad_id(self, row: Row) -> str:
        """The row's id, or one that follows from its text."""
        named = row.id or item_id("", 0, len(row.text), row.text)
        return f"gold:{named}" if self._is_gold else named

    def _cut(self, row: Row) -> tuple[Ad | None, list[Item]]:
        """The ad, unless the row is a seed, and its items, one at least. Raises BadRow."""
        if self._is_seed(row):
            return None, [seed_item(f"seed:{row.root or self._ad_id(row)}", row.text, row.group)]
        text = row.context if self._is_gold and row.context else row.text
        ad = Ad(self._ad_id(row), text, row.title, row.language or self.language, row.source)
        if self._is_gold:
            return ad, [_gold(row, ad)]
        spans = [(0, len(ad.text))]
        if self.unit == "sentence" and row.labels is None:
            spans = sentences(ad.text, ad.language)
        if not spans:
            raise BadRow("no sentence in the text")
        split = split_of(ad.id, self.campaign_seed)
        return ad, [real_item(ad, start, end, split, row.group) for start, end in spans]

    def _vote(self, row: Row, labels: tuple[str, ...], item: Item) -> Annotation:
        """What the row says of its item. Raises BadRow when that cannot count."""
        if aside := self.scheme.reason_to_set_aside(labels):
            known = ", ".join(self.scheme.choices)
            raise BadRow(f"{aside}: {', '.join(labels) or 'no label'}; the labels are: {known}")
        line, said = self.said.setdefault(item.id, (row.line, frozenset(labels)))
        if said != frozenset(labels):
            raise BadRow(f"line {line} has the same text with other labels: {', '.join(said)}")
        return Annotation(
            key=f"{self.label_source}:{item.id}",
            item_id=item.id,
            source=self.label_source,
            standing=Standing.VOTE,
            labels=labels,
            asked=self.scheme.labels,
            policy_id=self.policy_id,
            annotator=_SIGNED.get(self.label_source, "import"),
            at=self.now,
            extra=row.extra,
        )


def _gold(row: Row, ad: Ad) -> Item:
    if row.labels is None:
        raise BadRow("a gold row needs its known labels")
    start = ad.text.find(row.text)
    if start < 0:
        raise BadRow("its text does not stand in its context")
    return gold_item(ad, start, start + len(row.text), row.group)


def _same(ad: Ad, before: Ad | None) -> None:
    """Raises BadRow when another ad, or one that was taken down, has this id."""
    if before is not None and not before.text:
        raise BadRow(f"ad {ad.id!r} was taken down; it stays out")
    if before is not None and before.text != ad.text:
        raise BadRow(f"ad {ad.id!r} came before with another text; give this one another id")


class _Rejects:
    """The rejects file; there is none until there is a reject."""

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
        """Raises WorkspaceError when it cannot be written."""
        self.count += 1
        try:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.path.open("w", encoding="utf-8", errors="backslashreplace")
            self._file.write(json.dumps(asdict(reject), ensure_ascii=False) + "\n")
        except OSError as error:
            raise WorkspaceError(
                f"cannot write {self.path}: {error.strerror}; check space and rights"
            ) from error
