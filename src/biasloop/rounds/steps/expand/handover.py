"""What the expand step and its job exchange: the corpus, new items and rejected texts."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from biasloop.domain.item import Item, Origin
from biasloop.domain.label import LabelSource
from biasloop.domain.policy import Policy
from biasloop.domain.split import Split
from biasloop.domain.writing.synthesis import (
    RefusalReason,
    Rejection,
    SyntheticItem,
    WritingMaterial,
)
from biasloop.ports import Pool


@dataclass(frozen=True, slots=True)
class ExpandJob:
    """Runs `expanders`, which holds options by name, over the corpus of `corpus.parquet`.

    `llm` are the settings of the language model, whose spending is charged to `purse`; `errors`
    and `turn` are fields of the corpus. `policy` is the version of the guideline in force.
    """

    workspace: Path
    expanders: Mapping[str, Mapping[str, Any]]
    llm: Mapping[str, Any]
    purse: str
    errors: Mapping[str, float]
    turn: int
    policy: Policy
    seed: int

    def outputs(self, folder: Path, result: Mapping[str, Any]) -> list[Path]:
        """The files of what the expanders wrote; not all of them reject texts."""
        rejected = [rejected_file(folder, name) for name in self.expanders]
        return [
            *(synthetic_file(folder, name) for name in self.expanders),
            *(file for file in rejected if file.exists()),
        ]


def synthetic_file(folder: Path, expander: str) -> Path:
    """The file of the items that an expander made."""
    return folder / f"{expander}.made.jsonl"


def rejected_file(folder: Path, expander: str) -> Path:
    """The file of the texts of an expander that were rejected."""
    return folder / f"{expander}.rejected.jsonl"


def corpus_to_table(corpus: WritingMaterial) -> pd.DataFrame:
    """The corpus with ids in place of items, which the child reads from the pool."""
    rows = [("parent", item.id, list(labels)) for item, labels in corpus.parents]
    rows += [("written", item.id, list(labels)) for item, labels in corpus.written]
    return pd.DataFrame(rows, columns=["role", "item_id", "labels"])


def corpus_from_table(
    table: pd.DataFrame, pool: Pool, errors: Mapping[str, float], turn: int
) -> WritingMaterial:
    """The corpus of a table that `corpus_to_table` made; reads its items from the pool."""

    def labelled_items(role: str) -> list[tuple[Item, tuple[str, ...]]]:
        rows = table[table["role"] == role]
        items = pool.items(pool.rows_of(rows["item_id"].tolist()))
        return list(zip(items, map(tuple, rows["labels"]), strict=True))

    return WritingMaterial(labelled_items("parent"), labelled_items("written"), errors, turn)


def write_synthetic(path: Path, synthetic: Iterable[SyntheticItem]) -> int:
    """Writes synthetic items, one per line; returns how many."""
    return _write_lines(path, synthetic)


def write_rejected(path: Path, rejected: Iterable[Rejection]) -> int:
    """Writes rejected texts, one per line; returns how many."""
    return _write_lines(path, rejected)


def _write_lines(path: Path, values: Iterable[Any]) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for value in values:
            file.write(json.dumps(asdict(value), ensure_ascii=False) + "\n")
            count += 1
    return count


def read_synthetic(path: Path) -> list[SyntheticItem]:
    """The items that `write_synthetic` wrote."""
    synthetic = []
    for row in _read_lines(path):
        item = row["item"]
        item["roots"], item["parents"] = tuple(item["roots"]), tuple(item["parents"])
        item["split"], item["origin"] = Split(item["split"]), Origin(item["origin"])
        source = LabelSource(row["source"])
        synthetic.append(SyntheticItem(Item(**item), tuple(row["labels"]), source, row["extra"]))
    return synthetic


def read_rejected(path: Path) -> list[Rejection]:
    """The texts that `write_rejected` wrote; [] without a file, since not all expanders reject."""
    tuples = ("labels", "parents", "roots")
    return [
        Rejection(
            **row
            | {name: tuple(row[name]) for name in tuples}
            | {"reason": RefusalReason(row["reason"])}
        )
        for row in (_read_lines(path) if path.exists() else ())
    ]


def _read_lines(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]
