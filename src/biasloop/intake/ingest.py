"""Imports a file into the pool: ads are cut into items, labelled rows become one item each.

Bad rows are written to a rejects file; the other rows are imported. Importing the same file again
adds nothing, so an interrupted import is completed by repeating it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from biasloop.domain.annotation import Annotation
from biasloop.domain.label import LabelSource, Scheme
from biasloop.domain.votes.consensus import ItemLabel
from biasloop.errors import DataError
from biasloop.intake.importer import Importer, ImportPool, Unit
from biasloop.intake.markup import Cleaner, Markup
from biasloop.intake.record import COLUMN_ADVICE, Reading
from biasloop.intake.rejects import RejectsFile
from biasloop.intake.rows import Reject, Row, kept_columns, read_rows

# A batch is about one shard of the pool, and is held in memory.
BATCH_ROWS = 45_000
BATCH_CHARS = 4 * 2**20


@dataclass(frozen=True, slots=True)
class ImportReport:
    """Numbers of an import: `ads` and `items` that are new in the pool, `duplicates` (rows that
    were in the pool already), `rejects`, and `labelled` (rows whose labels were recorded, even if
    they had been recorded before). `rejects_file` is None if there are no rejects. `reasons` are
    those of the first rejects, `unread` says which parts of the input were not read and why.
    `cleaned` counts the rows from which HTML was taken away. `import_id` is the id by which the
    import can be taken back; it is empty for a dry run. `columns` are the names of the columns that
    were kept with the ads, `column_notes` say what was not kept as it is, and `other_columns`
    counts rows of known ads with other columns, which keep those that they had."""

    ads: int
    items: int
    duplicates: int
    rejects: int
    labelled: int
    rejects_file: Path | None
    reasons: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    cleaned: int = 0
    import_id: str = ""
    columns: tuple[str, ...] = ()
    column_notes: tuple[str, ...] = ()
    other_columns: int = 0

    def facts(self) -> dict[str, Any]:
        """The report as plain values."""
        file = self.rejects_file
        return asdict(self) | {"rejects_file": str(file) if file else None}

    @property
    def nothing(self) -> bool:
        """Whether no row was taken in."""
        return not (self.items or self.duplicates or self.labelled)


def import_file(
    path: Path,
    *,
    pool: ImportPool,
    scheme: Scheme,
    unit: Unit,
    language: str,
    campaign_seed: int,
    label_source: LabelSource | None,
    columns: Mapping[str, str],
    record: Callable[[Sequence[Annotation]], object],
    now: datetime,
    policy_id: str,
    rejects_folder: Path | None,
    progress: Callable[[int], None],
    encoding: str | None = None,
    current_labels: Callable[[], Mapping[str, ItemLabel]] = dict,
    markup: Markup = "clean",
    random_sample: bool = False,
) -> ImportReport:
    """Imports a file or folder; see biasloop.intake.files for the supported kinds.

    A row without labels is an ad, which is cut into sentences, or is one item if `unit` is "text".
    A row with labels is never cut: it is a seed if `label_source` is SEED (or None), a gold item if
    it is GOLD, and otherwise (HUMAN) an ad with one item, in the split of its id. Its labels are
    passed to `record` after the item is in the pool, at most MAX_RECORDED at a time; `record` must
    accept the same annotation again. `random_sample` says that the labelled rows were drawn at
    random from texts like those of the pool; their labels are marked so.

    A row of an export's table of items comes back as what it was, whatever its origin and with its
    own source of labels. An item with other labels than `current_labels` (by item id) is rejected.

    HTML is taken away, or its rows are rejected, as `markup` says. An ad that an earlier version
    cut otherwise stays as it was cut. Columns that are no fields are kept with the ad; a known ad
    keeps those that it has.

    `columns` is that of `read_rows`, `progress` and `encoding` are those of `Reading`. Without a
    `rejects_folder` no rejects are written. Raises DataError if the file cannot be read, or if
    `label_source` contradicts an export; PoolError if the pool cannot be written, and
    WorkspaceError if the rejects file cannot be written.
    """
    unread: list[str] = []
    reading = Reading(
        advice=COLUMN_ADVICE,
        encoding=encoding,
        progress=progress,
        unread=lambda name, reason: unread.append(f"{name}: {reason}"),
    )
    if label_source is not None:
        quiet = replace(reading, progress=lambda _: None, unread=lambda *_: None)
        _check_label_source(path, label_source, read_rows(path, columns, quiet))
    name = f"{path.stem}-{now:%Y%m%dT%H%M%S}.rejects.jsonl"
    with RejectsFile(rejects_folder / name if rejects_folder else None) as rejects:
        importer = Importer(
            pool=pool,
            scheme=scheme,
            unit=unit,
            language=language,
            campaign_seed=campaign_seed,
            label_source=label_source,
            random_sample=random_sample,
            policy_id=policy_id,
            now=now,
            record=record,
            reject=rejects.add,
            current_labels=current_labels,
        )
        cleaner = Cleaner(markup)
        kept = kept_columns(columns)
        rows = cleaner.clean(read_rows(path, columns, reading, kept))
        for batch in _batches(rows, rejects.add):
            importer.add(batch)
        return ImportReport(
            ads=importer.ads,
            items=importer.items,
            duplicates=importer.duplicates,
            rejects=rejects.count,
            labelled=importer.labelled,
            rejects_file=rejects.path if rejects.count else None,
            reasons=tuple(rejects.reasons),
            unread=tuple(unread),
            cleaned=cleaner.count,
            columns=tuple(importer.columns),
            column_notes=kept.notes(),
            other_columns=importer.other_columns,
        )


def _check_label_source(
    path: Path, label_source: LabelSource, rows: Iterator[Row | Reject]
) -> None:
    """Raises DataError if a row of an export has labels of another source."""
    for row in rows:
        if isinstance(row, Row) and row.exported is None and path.is_file():
            return
        source = row.exported.label_source if isinstance(row, Row) and row.exported else None
        if source not in (None, label_source):
            raise DataError(
                f"{path} is an export, and its line {row.line} says that the labels are from "
                f"{source}, not from {label_source}; leave out --label-source"
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
        size += len(row.text) + sum(len(c) for c in row.columns.values() if isinstance(c, str))
        if len(batch) == BATCH_ROWS or size >= BATCH_CHARS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
