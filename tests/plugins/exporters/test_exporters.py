"""The contract of every registered exporter: pandas reads back what was written."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from biasloop.domain.cells import defuse_formula, join_labels
from biasloop.plugins.registry import Kind, create, names
from biasloop.ports import Columns, Exporter

Row = Mapping[str, Any]
COLUMNS: Columns = {
    "item_id": str,
    "text": str,
    "round": int,
    "p_age": float,
    "labels": list,
    "at": datetime,
    "extra": dict,
}
NOW = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
FULL: Row = {
    "item_id": "a" * 20,
    "text": 'Cerchiamo "personale", età 18–30;\nperché? 😀',
    "round": 3,
    "p_age": 0.1,
    "labels": ["age", "età"],
    "at": NOW,
    "extra": {"result": [{"value": {"text": ["è"]}}]},
}
EMPTY: Row = dict.fromkeys(COLUMNS) | {"item_id": "b" * 20}


# --- how an analyst reads each format, and what a value looks like in it --------------------------


def read_parquet(path: Path) -> list[dict[str, Any]]:
    frame = pd.read_parquet(path, dtype_backend="pyarrow")
    return [
        {name: None if value is pd.NA else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]


def in_parquet(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value


def read_csv(path: Path) -> list[dict[str, Any]]:
    frame = pd.read_csv(path, encoding="utf-8-sig", dtype=str, keep_default_na=False)
    return frame.to_dict("records")


def read_tsv(path: Path) -> list[dict[str, Any]]:
    frame = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    return frame.to_dict("records")


def in_csv(value: Any) -> str:
    if isinstance(value, list):
        value = join_labels(value)
    if isinstance(value, str):
        value = defuse_formula(value)
    if isinstance(value, dict):
        value = json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value)


WAYS: dict[str, tuple[Callable[[Path], list[dict[str, Any]]], Callable[[Any], Any]]] = {
    "csv": (read_csv, in_csv),
    "parquet": (read_parquet, in_parquet),
    "tsv": (read_tsv, in_csv),  # the example of CONTRIBUTING.md
}


class Way:
    """One exporter and how to read what it wrote."""

    def __init__(self, name: str, folder: Path) -> None:
        self.exporter: Exporter = create(Kind.EXPORTER, name)
        self.folder = folder
        self.read, self.value = WAYS[name]

    def there_and_back(self, rows: Iterable[Row], columns: Columns = COLUMNS) -> Any:
        path = self.exporter.write("items", columns, rows, self.folder)
        assert path == self.folder / f"items{self.exporter.suffix}"
        return self.read(path)

    def expected(self, rows: Iterable[Row]) -> list[dict[str, Any]]:
        return [{name: self.value(value) for name, value in row.items()} for row in rows]


@pytest.fixture(params=names(Kind.EXPORTER))
def way(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Way:
    monkeypatch.setattr("biasloop.plugins.exporters.parquet.PIECE", 2)
    return Way(request.param, tmp_path)


# --- the contract ---------------------------------------------------------------------------------


def test_every_type_comes_back(way: Way) -> None:
    assert way.there_and_back([FULL, EMPTY]) == way.expected([FULL, EMPTY])


def test_a_stream_of_any_length_comes_back(way: Way) -> None:
    """Even if a column has no value in the first rows: types follow from `columns` alone."""
    rows = [EMPTY, EMPTY, EMPTY, FULL, {**FULL, "labels": []}, EMPTY, FULL]
    assert way.there_and_back(row for row in rows) == way.expected(rows)


def test_an_empty_table_has_its_columns(way: Way) -> None:
    assert way.there_and_back([]) == []
    (path,) = way.folder.iterdir()
    match path.suffix:
        case ".csv":
            frame = pd.read_csv(path, encoding="utf-8-sig")
        case ".tsv":
            frame = pd.read_csv(path, sep="\t")
        case _:
            frame = pd.read_parquet(path)
    assert list(frame.columns) == list(COLUMNS)


def test_an_export_replaces_the_one_before(way: Way) -> None:
    way.there_and_back([FULL] * 5)
    assert way.there_and_back([EMPTY]) == way.expected([EMPTY])
    assert len(list(way.folder.iterdir())) == 1


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
rows = st.lists(
    st.fixed_dictionaries(
        {
            "text": texts | st.none(),
            "labels": st.lists(texts.filter(bool), max_size=3) | st.none(),
            "round": st.integers(-(2**53), 2**53) | st.none(),
            "p_age": st.floats(-1, 1) | st.none(),
            "item_id": st.just("x"),
        }
    ),
    max_size=5,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(drawn=rows)
def test_any_text_of_an_ad_comes_back(way: Way, drawn: list[Row]) -> None:
    columns = {name: COLUMNS[name] for name in ("text", "labels", "round", "p_age", "item_id")}
    assert way.there_and_back(drawn, columns) == way.expected(drawn)


def test_parquet_keeps_its_types_whatever_is_in_it(tmp_path: Path) -> None:
    way = Way("parquet", tmp_path)
    types = []
    for content in ([], [EMPTY], [FULL]):
        way.there_and_back(content)
        types.append(pd.read_parquet(tmp_path / "items.parquet", dtype_backend="pyarrow").dtypes)
    assert all(dtypes.equals(types[0]) for dtypes in types)
    assert str(types[0]["at"]) == "timestamp[us, tz=UTC][pyarrow]"


# --- spreadsheets ---------------------------------------------------------------------------------

FORMULAS = [
    "=1+1",
    "+39 06 1234",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "＝1+1",
    '=HYPERLINK("http://example.org","Candidati qui")',
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_begins_as_a_formula_would(tmp_path: Path, formula: str) -> None:
    way = Way("csv", tmp_path)
    row = {**FULL, "text": formula, "labels": [formula, "age"]}
    (exported,) = way.there_and_back([row])
    assert exported["text"] == f"'{formula}"
    assert exported["labels"] == defuse_formula(join_labels([formula, "age"]))


def test_numbers_and_harmless_text_stay_as_they_are(tmp_path: Path) -> None:
    row = {**FULL, "round": -3, "p_age": -0.5, "text": "età - 30 = giovane @casa"}
    (exported,) = Way("csv", tmp_path).there_and_back([row])
    assert (exported["round"], exported["p_age"], exported["text"]) == ("-3", "-0.5", row["text"])


def test_excel_sees_that_it_is_utf_8(tmp_path: Path) -> None:
    Way("csv", tmp_path).there_and_back([FULL])
    assert (tmp_path / "items.csv").read_bytes().startswith(b"\xef\xbb\xbfitem_id,")


def test_times_have_a_time_zone(tmp_path: Path) -> None:
    (exported,) = Way("csv", tmp_path).there_and_back([FULL])
    read = pd.to_datetime(exported["at"])
    assert read == NOW
    assert read.utcoffset() == timedelta(0)
