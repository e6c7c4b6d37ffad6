"""Imports files into an open workspace, and writes down what each import added."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

from biasloop.domain.annotation import Annotation
from biasloop.domain.item import Ad, Item
from biasloop.domain.label import LabelSource
from biasloop.domain.votes.consensus import resolve_item_labels
from biasloop.intake import ingest
from biasloop.intake.dry_run import DryPool
from biasloop.intake.importer import Unit
from biasloop.service.service import Service
from biasloop.store.control import Event
from biasloop.store.imports import ImportRecord, Imports
from biasloop.store.pool import ArrowPool, Filled


def import_file(
    service: Service,
    path: Path,
    *,
    label_source: LabelSource | None = None,
    unit: Unit | None = None,
    columns: Mapping[str, str] | None = None,
    encoding: str | None = None,
    random_sample: bool = False,
    progress: Callable[[int], None] = lambda _: None,
    dry_run: DryPool | None = None,
) -> ingest.ImportReport:
    """Imports a file into pool and ledger; see biasloop.intake.ingest. `unit` is by default the
    campaign's. With a pool for a dry run nothing is written; the report says what would happen
    after the earlier dry runs with this pool."""
    campaign, settings, ledger = service.campaign, service.settings, service.ledger
    now = datetime.now(UTC)
    dry = dry_run is not None
    record = ImportRecord(token_hex(4), now, str(path))
    new_labels = 0

    def record_labels(labels: Sequence[Annotation]) -> int:
        nonlocal new_labels
        recorded = ledger.record(labels)
        new_labels += recorded
        return recorded

    report = ingest.import_file(
        path,
        pool=RecordingPool(service.layout.pool, ledger.imports, record)
        if dry_run is None
        else dry_run,
        scheme=campaign.scheme,
        unit=unit or campaign.about.unit,
        language=campaign.about.language,
        campaign_seed=settings.seed,
        label_source=label_source,
        columns=columns or {},
        record=len if dry else record_labels,
        now=now,
        policy_id=service.current_policy.id,
        rejects_folder=None if dry else service.layout.rejects,
        progress=progress,
        encoding=encoding,
        current_labels=lambda: resolve_item_labels(
            ledger.annotations(), campaign.scheme, settings.votes.consensus
        ),
        markup=settings.intake.markup,
        random_sample=random_sample,
    )
    if dry:
        return report
    if report.items or report.ads or new_labels:
        report = replace(report, import_id=record.id)
    else:
        ledger.imports.forget(record.id)  # else it would be the last one, and hide the mistake
    ledger.control.note(Event.IMPORTED, report.facts() | {"file": str(path)}, datetime.now(UTC))
    return report


class RecordingPool(ArrowPool):
    """The pool of an import: what is to be added is written down before, so that an import that was
    killed can be taken back as well, and the rows that it filled afterwards."""

    def __init__(self, folder: Path, imports: Imports, record: ImportRecord) -> None:
        super().__init__(folder)
        self._imports = imports
        self._record = record

    def append(
        self, items: Iterable[Item], ads: Iterable[Ad] = (), filled: Filled | None = None
    ) -> tuple[int, int]:
        """See ArrowPool.append."""
        items, ads = list(items), list(ads)
        ids = list(dict.fromkeys(item.id for item in items))
        new = [name for name, row in zip(ids, self.rows_of(ids), strict=True) if row < 0]
        known_ads = self.ads([ad.id for ad in ads])
        new_ads = [ad.id for ad in ads if ad.id not in known_ads]
        self._save(replace(self._record, adding_items=tuple(new), adding_ads=tuple(new_ads)))
        counts = super().append(items, ads, filled or self._note_filled)
        self._save(replace(self._record, adding_items=(), adding_ads=()))
        return counts

    def _note_filled(self, first: int, stop: int) -> None:
        # Not the rows of the items that were new before: another import may have added them since.
        rows = (*self._record.rows, (first, stop))
        self._save(replace(self._record, rows=rows))

    def _save(self, record: ImportRecord) -> None:
        self._record = record
        self._imports.save(record)
