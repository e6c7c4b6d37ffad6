"""An export as one file, made while it is sent."""

from collections.abc import Iterator
from zipfile import ZIP_DEFLATED, ZipFile

from biasloop.reports.export.finished import FinishedExport

BLOCK = 1 << 20
"""Bytes that are read at a time."""
FASTEST = 1
"""Level of compression: tables are large, and Parquet is compressed already."""


class _Written:
    """Bytes that were written and not yet taken. Like a connection, it can only be appended to."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, part: bytes) -> int:
        self._parts.append(bytes(part))
        return len(part)

    def flush(self) -> None:
        """Part of what an archive asks of a file, as is `close`."""

    def close(self) -> None:
        """Nothing is held."""

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def zip_export(export: FinishedExport) -> Iterator[bytes]:
    """The bytes of a ZIP archive of the export's folder, a block at a time."""
    written = _Written()
    with ZipFile(written, "w", ZIP_DEFLATED, compresslevel=FASTEST) as archive:
        for file in export.files:
            # While it is sent, an archive does not know the sizes of files; they may be large.
            member = archive.open(f"{export.name}/{file.name}", "w", force_zip64=True)
            with (export.folder / file.name).open("rb") as source, member as target:
                while block := source.read(BLOCK):
                    target.write(block)
                    yield written.take()
    yield written.take()
