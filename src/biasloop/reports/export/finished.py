"""The exports in a folder, and the files of each."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from biasloop.reports.export.folder import CHECKSUMS, RECORD
from biasloop.store.atomic import read_if_intact

README = "README.md"


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file of an export: its path below the folder, its bytes, and its checksum, "" for the file
    of checksums itself."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class FinishedExport:
    """An export in `folder`: when it was made, by which command, `rows` by table, and how many
    places of personal data were masked; None: they were kept."""

    folder: Path
    at: datetime
    command: str
    rows: Mapping[str, int]
    masked: int | None
    files: tuple[ExportedFile, ...]

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.folder.name

    @property
    def readme(self) -> str:
        """What explains the export, in Markdown, without the part for programs at its beginning; ""
        if it is gone."""
        path = self.folder / README
        text = path.read_text("utf-8") if path.is_file() else ""
        return text.split("---\n", 2)[-1] if text.startswith("---\n") else text

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def find(self, name: str) -> Path | None:
        """The path of a file that the export lists; None if it lists no such file."""
        return next((self.folder / file.name for file in self.files if file.name == name), None)


def finished_exports(folder: Path) -> list[FinishedExport]:
    """The exports in this folder, the newest first. What is no whole export is left out, such as
    one that is being written, and so is a link."""
    if not folder.is_dir():
        return []
    folders = [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]
    read = (read_if_intact(path, _read) for path in folders if path.suffix != ".tmp")
    exports = [export for export in read if export is not None]
    return sorted(exports, key=lambda export: (export.at, export.name), reverse=True)


def _read(folder: Path) -> FinishedExport:
    path = folder / RECORD
    record = json.loads(path.read_text("utf-8"))
    masked = record["masked"]
    return FinishedExport(
        folder=folder,
        at=datetime.fromtimestamp(path.stat().st_mtime, UTC),
        command=str(record["command"]),
        rows={str(name): int(table["rows"]) for name, table in record["tables"].items()},
        masked=None if masked is None else sum(sum(kinds.values()) for kinds in masked.values()),
        files=tuple(_files(folder)),
    )


def _files(folder: Path) -> list[ExportedFile]:
    """The files with a checksum, and that of the checksums. A line that names something outside the
    folder, or a link, is left out: somebody may have put it there."""
    lines = (folder / CHECKSUMS).read_text("utf-8").splitlines()
    sums = {name: checksum for checksum, _, name in (line.partition("  ") for line in lines)}
    root = folder.resolve()
    return [
        ExportedFile(name, path.stat().st_size, checksum)
        for name, checksum in {**sums, CHECKSUMS: ""}.items()
        if (path := root / name).is_file() and path.resolve() == path and path.is_relative_to(root)
    ]
