"""Which process may start and stop the Label Studio of a workspace: one at a time."""

import os
from datetime import datetime
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from biasloop.errors import WorkspaceError


class Owner:
    """The right to start and stop the server in a data folder.

    It is a lock of the operating system, so it ends with the process that holds it, even if that
    is killed.
    """

    def __init__(self, data_dir: Path) -> None:
        self._lock = FileLock(data_dir / "owner.lock")
        self._pid_file = data_dir / "owner.pid"

    def take(self) -> None:
        """Takes the right. Raises WorkspaceError, which names the process that holds it."""
        self._pid_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise WorkspaceError(
                f"a service is running in {self._pid_file.parent.parent} already"
                f"{self._describe_holder()}; end it first, or use it as it is"
            ) from None
        self._pid_file.write_text(str(os.getpid()))

    def release(self) -> None:
        """Gives the right back. Repeatable."""
        self._lock.release()

    def _describe_holder(self) -> str:
        try:
            process = psutil.Process(int(self._pid_file.read_text()))
            since = datetime.fromtimestamp(process.create_time()).astimezone()
        except (OSError, ValueError, psutil.Error):
            return ""  # it has just begun, or belongs to another user
        return f" (process {process.pid}, since {since:%Y-%m-%d %H:%M})"
