"""Which export held which ads, so that a takedown can name those that were given out."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from biasloop.store.atomic import written_whole


@dataclass(frozen=True, slots=True)
class PastExport:
    """A past export: when it was made, and the folder it was written to."""

    at: datetime
    folder: Path


class ExportLog:
    """A file for each export: when it was made, the folder it was written to, and hashes of the ids
    of its ads. A folder within the workspace is named from there, so that it is found when the
    workspace was moved, and in its backups."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._workspace = folder.parent.resolve()

    def record(self, destination: Path, ad_ids: Iterable[str], now: datetime) -> Path:
        """Records an export; returns the file of the record. Raises OSError when the log cannot be
        written."""
        self._folder.mkdir(parents=True, exist_ok=True)
        ads = np.unique(np.fromiter(map(_digest, ad_ids), np.uint64))
        folder = destination.resolve()
        if folder.is_relative_to(self._workspace):
            folder = folder.relative_to(self._workspace)
        about = json.dumps({"at": now.isoformat(), "folder": str(folder)})
        path = self._folder / f"{now:%Y%m%d-%H%M%S-%f}.npz"
        with written_whole(path) as temporary, temporary.open("wb") as file:
            np.savez(file, about=np.array(about), ads=ads)
        return path

    def holding(self, ad_id: str) -> list[PastExport]:
        """The exports that held the ad, oldest first."""
        digest = _digest(ad_id)
        return [export for export, ads in self._entries() if _contains(ads, digest)]

    def all(self) -> list[PastExport]:
        """Every export that was recorded, oldest first."""
        return [export for export, _ in self._entries()]

    def _entries(self) -> Iterator[tuple[PastExport, NDArray[np.uint64]]]:
        for path in sorted(self._folder.glob("*.npz")):
            with np.load(path) as log:
                about = json.loads(str(log["about"]))
                at = datetime.fromisoformat(about["at"])
                yield PastExport(at, self._workspace / about["folder"]), log["ads"]


def _digest(ad_id: str) -> int:
    return int.from_bytes(blake2b(ad_id.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def _contains(ordered: NDArray[np.uint64], digest: int) -> bool:
    place = int(np.searchsorted(ordered, np.uint64(digest)))
    return place < len(ordered) and int(ordered[place]) == digest
