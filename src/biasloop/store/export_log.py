"""Which export held which ads, so that a takedown can name those that were given out."""

import json
from collections.abc import Iterable
from datetime import datetime
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from biasloop.store.atomic import written_whole


class ExportLog:
    """A file for each export: when it was made, the folder it was written to, and hashes of the ids
    of its ads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def record(self, destination: Path, ad_ids: Iterable[str], now: datetime) -> None:
        """Records an export. Raises OSError when the log cannot be written."""
        self._folder.mkdir(parents=True, exist_ok=True)
        ads = np.unique(np.fromiter(map(_digest, ad_ids), np.uint64))
        about = json.dumps({"at": now.isoformat(), "folder": str(destination.resolve())})
        path = self._folder / f"{now:%Y%m%d-%H%M%S-%f}.npz"
        with written_whole(path) as temporary, temporary.open("wb") as file:
            np.savez(file, about=np.array(about), ads=ads)

    def holding(self, ad_id: str) -> list[tuple[datetime, str]]:
        """(made at, folder) of the exports that held the ad, oldest first."""
        digest = _digest(ad_id)
        exports = []
        for path in sorted(self._folder.glob("*.npz")):
            with np.load(path) as log:
                if _contains(log["ads"], digest):
                    about = json.loads(str(log["about"]))
                    exports.append((datetime.fromisoformat(about["at"]), about["folder"]))
        return exports


def _digest(ad_id: str) -> int:
    return int.from_bytes(blake2b(ad_id.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def _contains(ordered: NDArray[np.uint64], digest: int) -> bool:
    place = int(np.searchsorted(ordered, np.uint64(digest)))
    return place < len(ordered) and int(ordered[place]) == digest
