"""What a model labelled at a stated risk: a file for each label, next to the ledger. Nothing learns
from it, and no figure counts it."""

import json
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from biasloop.store.atomic import written_whole

ABOUT = b"biasloop"
"""Key of the metadata of a file."""
SCHEMA = pa.schema([("item_id", pa.string()), ("has", pa.bool_())])


@dataclass(frozen=True, slots=True)
class Bound:
    """How items got their label. With a chance of at least 1 - `delta`, at most `risk` of all
    verdicts by `model` with a confidence of `confidence` or more are wrong, as shown by `kept`
    audit items of which it got `errors` wrong."""

    label: str
    risk: float
    delta: float
    confidence: float
    model: str
    kept: int
    errors: int


@dataclass(frozen=True, slots=True, eq=False)
class MachineLabels:
    """The items that a model labelled: `table` has the columns `item_id` and `has`, whether each
    has the label."""

    bound: Bound
    table: pa.Table

    @classmethod
    def from_items(
        cls, bound: Bound, item_ids: Collection[str], has: NDArray[np.bool_]
    ) -> "MachineLabels":
        """From the ids of n items and whether each has the label, (n,)."""
        return cls(bound, pa.table([pa.array(item_ids, pa.string()), pa.array(has)], SCHEMA))


class MachineLabelStore:
    """The files in a folder, which need not exist."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, labels: MachineLabels) -> None:
        """Writes the file of a label whole, in place of an older one."""
        self._folder.mkdir(parents=True, exist_ok=True)
        about = {ABOUT: json.dumps(asdict(labels.bound)).encode()}
        with written_whole(self._path(labels.bound.label)) as temporary:
            pq.write_table(labels.table.replace_schema_metadata(about), temporary)

    def all(self) -> Iterator[MachineLabels]:
        """The labels of all files, in the order of their names."""
        for path in sorted(self._folder.glob("*.parquet")):
            with path.open("rb") as file:  # by its path it would be opened twice, and replaced
                table = pq.read_table(file)  # in between
            about = json.loads(table.schema.metadata[ABOUT])
            yield MachineLabels(Bound(**about), table.replace_schema_metadata())

    def drop(self, label: str) -> bool:
        """Removes the file of a label; False if there is none."""
        path = self._path(label)
        there = path.exists()
        path.unlink(missing_ok=True)
        return there

    def erase(self, item_ids: Collection[str]) -> None:
        """Drops the rows of these items."""
        gone = pa.array(item_ids, pa.string())
        for labels in self.all():
            here = pc.is_in(labels.table["item_id"], gone)
            if pc.any(here).as_py():
                self.write(replace(labels, table=labels.table.filter(pc.invert(here))))

    def _path(self, label: str) -> Path:
        return self._folder / f"{quote(label, safe='')}.parquet"
