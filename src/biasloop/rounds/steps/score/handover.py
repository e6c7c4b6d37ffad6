"""What the score step passes to its job."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class ScoreJob:
    """Scores pool rows below `pool_rows` with a model, into the folder `out`.

    `candidates.parquet` has the rows that a cascade chooses from: `row`, and whether it is scored
    `always`.
    """

    classifier: str
    model: Path
    pool: Path
    pool_rows: int
    features: Path
    needs: tuple[str, ...]
    multi: bool
    cascade: int
    seed: int
    out: Path

    def outputs(self, folder: Path, result: Mapping[str, Any]) -> list[Path]:
        """The files of scores of every shard, and that of the thresholds."""
        return [self.out / name for name in ("thresholds.npy", *result["files"])]
