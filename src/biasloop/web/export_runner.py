"""Writes an export in the background of the web server, one at a time."""

from collections.abc import Mapping
from datetime import UTC, datetime

from biasloop.reports.export.export import write_export
from biasloop.reports.export.folder import free_folder
from biasloop.reports.export.record import Request
from biasloop.service.service import Service
from biasloop.web.background import Background


class ExportRunner(Background):
    """Writes one export at a time, into a new folder of the workspace's `exports/`, whose name is
    the result of the run. An interrupted one leaves no folder. Its steps are rows of the pool."""

    def __init__(self, service: Service) -> None:
        super().__init__("an export")
        self._service = service

    def start(self, request: Request, form: Mapping[str, str]) -> None:
        """Starts an export in the background.

        Raises WorkspaceError while another runs.
        """
        self._begin(form, lambda: self._export(request))

    def _export(self, request: Request) -> str:
        rows = len(self._service.pool)

        def progress(done: int) -> None:
            self._checkpoint()
            self._progress(done, rows)

        folder = free_folder(self._service.layout.exports, datetime.now(UTC))
        write_export(self._service, request, folder, force=False, progress=progress)
        return folder.name
