"""Who came when, by pseudonym: a line for each link that was opened and for each request that was
passed on, without the content of tasks and annotations."""

import logging
import os
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

MAX_BYTES = 5_000_000
FILES = 3


class _PrivateFile(RotatingFileHandler):
    """A log that only its owner can read."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return os.fdopen(descriptor, "a", encoding=self.encoding)


class Visits:
    """The log of visits. Lines have a local time with its zone, and no IP address."""

    def __init__(self, path: Path) -> None:
        self._handler = _PrivateFile(
            path, maxBytes=MAX_BYTES, backupCount=FILES, encoding="utf-8", delay=True
        )
        form = logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%S%z")
        self._handler.setFormatter(form)

    def add(self, person_id: str, method: str, path: str, status: int) -> None:
        """Adds a line. `path` is the kind of path, without its numbers."""
        text = f"{person_id} {method} {path} {status}"
        record = logging.LogRecord("biasloop.visits", logging.INFO, "", 0, text, None, None)
        self._handler.handle(record)

    def close(self) -> None:
        """Closes the file."""
        self._handler.close()
