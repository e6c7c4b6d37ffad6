"""The rejects file of an import."""

import json
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from biasloop.errors import WorkspaceError
from biasloop.intake.rows import Reject
from biasloop.store.atomic import write_whole

MAX_REASONS = 5
"""Number of rejects whose reasons are kept for the terminal."""


class RejectsFile:
    """Counts rejects and writes them to a file, which is created with the first one. Without a path
    they are only counted."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.count = 0
        self.reasons: list[str] = []
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
        if len(self.reasons) < MAX_REASONS:
            named = f" (id {reject.id})" if reject.id else ""
            self.reasons.append(f"line {reject.line}{named}: {reject.reason}")
        if self.path is None:
            return
        try:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.path.open("w", encoding="utf-8", errors="backslashreplace")
            self._file.write(json.dumps(asdict(reject), ensure_ascii=False) + "\n")
        except OSError as error:
            raise WorkspaceError(
                f"cannot write {self.path}: {error.strerror}; check free space and permissions"
            ) from error


def drop_rejects_of(folder: Path, ad_id: str) -> None:
    """Deletes the rejected rows of an ad, which quote it, from all rejects files of the folder, and
    rows that a kill or a full disk cut off, which may quote any ad."""
    for path in folder.glob("*.jsonl"):
        lines = path.read_text("utf-8", errors="replace").split("\n")
        others = [line for line in lines if not line or _id_of(line) not in (ad_id, None)]
        if len(others) < len(lines):
            write_whole(path, "\n".join(others))


def _id_of(line: str) -> str | None:
    """The id of a rejected row; None if the row is not whole."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return str(row["id"]) if isinstance(row, dict) and "id" in row else None
