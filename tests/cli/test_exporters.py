"""The contract of exporters, on every implementation."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from biasloop.plugins.exporters import parquet
from biasloop.plugins.exporters.csv import cell
from biasloop.plugins.registry import Kind, create
from biasloop.ports import Exporter

COLUMNS = {"id": str, "n": int, "p": float, "at": datetime, "labels": list, "extra": dict}
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FULL = {"id": "à", "n": 3, "p": 0.5, "at": AT, "labels": ["a", "b"], "extra": {"è": [1]}}
NOTHING: dict[str, Any] = dict.fromkeys(COLUMNS) | {"id": "x", "labels": [], "extra": {}}
READ = {"parquet": pd.read_parquet, "csv": pd.read_csv}


@pytest.fixture(params=sorted(READ))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def write(name: str, rows: Iterator[dict[str, Any]], folder: Path) -> pd.DataFrame:
    exporter: Exporter = create(Kind.EXPORTER, name)
    path = exporter.write("items", COLUMNS, rows, folder)
    assert path == folder / f"items{exporter.suffix}"
    return READ[name](path)


def test_what_goes_in_comes_out(name: str, tmp_path: Path) -> None:
    found = write(name, iter([NOTHING, FULL]), tmp_path)
    assert list(found.columns) == list(COLUMNS)
    assert list(found["id"]) == ["x", "à"]
    assert found["n"].isna()[0]
    assert found["n"][1] == 3
    assert pd.Timestamp(found["at"][1]) == AT
    labels = found["labels"][1]
    assert (labels.split("|") if name == "csv" else list(labels)) == ["a", "b"]
    assert json.loads(found["extra"][1]) == {"è": [1]}


def test_an_empty_table_still_has_its_columns(name: str, tmp_path: Path) -> None:
    found = write(name, iter([]), tmp_path)
    assert list(found.columns) == list(COLUMNS)
    assert len(found) == 0


def test_types_do_not_hang_on_what_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "PIECE", 2)
    found = write("parquet", iter([NOTHING] * 4 + [FULL]), tmp_path)
    assert found["p"].iloc[-1] == 0.5
    assert list(found["labels"].iloc[-1]) == ["a", "b"]


def test_rows_are_not_gathered(name: str, tmp_path: Path) -> None:
    """A million rows must not be in memory at once: writing begins before reading ends."""
    grown = []

    def rows() -> Iterator[dict[str, Any]]:
        for n in range(40_000):
            if n == 35_000:
                grown.append(next(tmp_path.iterdir()).stat().st_size)
            yield FULL

    write(name, rows(), tmp_path)
    assert grown[0] > 1_000


@pytest.mark.parametrize(
    "text", ["=1+1", "+39 02", "-2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1"]
)
def test_a_formula_is_defused(text: str) -> None:
    assert cell(text) == f"'{text}"
    assert cell([text, "x"]) == f"'{text}|x"


def test_what_is_no_formula_stays(tmp_path: Path) -> None:
    for value in ("età: 30", -2.5, 7, True):
        assert cell(value) == value
    write("csv", iter([FULL]), tmp_path)
    assert (tmp_path / "items.csv").read_bytes().startswith(b"\xef\xbb\xbf")  # Excel reads UTF-8
