"""Imports files into an open workspace."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from biasloop.domain.label import LabelSource
from biasloop.domain.votes.consensus import resolve_item_labels
from biasloop.intake import ingest
from biasloop.intake.dry_run import DryPool
from biasloop.intake.importer import Unit
from biasloop.service.service import Service


def import_file(
    service: Service,
    path: Path,
    *,
    label_source: LabelSource | None = None,
    unit: Unit | None = None,
    columns: Mapping[str, str] | None = None,
    encoding: str | None = None,
    progress: Callable[[int], None] = lambda _: None,
    dry_run: bool = False,
) -> ingest.ImportReport:
    """Imports a file into pool and ledger; see biasloop.intake.ingest. `unit` is by default the
    campaign's. A dry run writes nothing, and reports what would happen."""
    campaign, settings, ledger = service.campaign, service.settings, service.ledger
    return ingest.import_file(
        path,
        pool=DryPool(service.pool) if dry_run else service.pool,
        scheme=campaign.scheme,
        unit=unit or campaign.about.unit,
        language=campaign.about.language,
        campaign_seed=settings.seed,
        label_source=label_source,
        columns=columns or {},
        record=len if dry_run else ledger.record,
        now=datetime.now(UTC),
        policy_id=service.current_policy.id,
        rejects_folder=None if dry_run else service.layout.rejects,
        progress=progress,
        encoding=encoding,
        current_labels=lambda: resolve_item_labels(
            ledger.annotations(), campaign.scheme, settings.votes.consensus
        ),
        markup=settings.intake.markup,
    )
