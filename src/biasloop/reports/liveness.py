"""Whether a service runs on a workspace, and whether it works with the settings of today."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from biasloop.domain.round import has_passed
from biasloop.service.service import Service
from biasloop.store.control import SCHEDULER_LEASE, Bookmark
from biasloop.workspace.settings_file import digest_settings


@dataclass(frozen=True, slots=True)
class ServiceReport:
    """`running`: a service holds the lease of the loop now. `process` (host/pid/…) held it last,
    and was last heard of at `seen_at`. `changed_settings` names what was changed in the workspace
    since the running service started, and that it has not read."""

    running: bool
    process: str | None
    seen_at: datetime | None
    changed_settings: Sequence[str]


def service_report(service: Service, now: datetime) -> ServiceReport:
    """What the ledger knows of the service that runs, or ran, on this workspace."""
    lease = service.ledger.control.lease(SCHEDULER_LEASE)
    if lease is None:
        return ServiceReport(False, None, None, ())
    running = not has_passed(lease.until, now)
    changed = _changed_settings(service) if running else ()
    return ServiceReport(running, lease.owner, min(lease.until, now), changed)


def _changed_settings(service: Service) -> Sequence[str]:
    before = service.ledger.control.bookmark(Bookmark.SETTINGS) or {}
    today = digest_settings(service.layout)
    return sorted(
        key for key in before.keys() | today.keys() if before and before.get(key) != today.get(key)
    )


def start_command(service: Service) -> str:
    """The command line that starts a service on this workspace."""
    return f"biasloop {'serve' if service.settings.labelstudio.url else 'up'}"
