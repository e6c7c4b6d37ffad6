"""The contract of every registered exporter: other programs read back what was written."""

import gc
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from biasloop.domain.cells import defuse_formula, join_labels
from biasloop.errors import ConfigError, DataError
from biasloop.plugins.exporters.tables import schema_of
from biasloop.plugins.registry import Kind, create, names
from biasloop.ports import Columns, Exporter

Row = Mapping[str, Any]
COLUMNS: Columns = {
    "item_id": str,
    "text": str,
    "round": int,
    "p_age": float,
    "unsure": bool,
    "labels": list,
    "at": datetime,
    "day": date,
    "extra": dict,
}
NOW = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
FULL: Row = {
    "item_id": "a" * 20,
    "text": 'Cerchiamo "personale", età 18–30;\nperché? 😀',
    "round": 3,
    "p_age": 0.1,
    "unsure": True,
    "labels": ["age", "età"],
    "at": NOW,
    "day": date(2026, 3, 1),
    "extra": json.dumps({"result": [{"value": {"text": ["è"]}}]}, ensure_ascii=False),
}
EMPTY: Row = dict.fromkeys(COLUMNS) | {"item_id": "b" * 20}


def batches(rows: Iterable[Row], columns: Columns, size: int = 2) -> Iterator[pa.RecordBatch]:
    """The rows as they come to an exporter."""
    waiting: list[Row] = []
    for row in rows:
        waiting.append(row)
        if len(waiting) == size:
            yield pa.RecordBatch.from_pylist(waiting, schema_of(columns))
            waiting = []
    if waiting:
        yield pa.RecordBatch.from_pylist(waiting, schema_of(columns))


# --- how an analyst reads each format, and what a value looks like in it --------------------------


def read_parquet(path: Path) -> list[dict[str, Any]]:
    frame = pd.read_parquet(path, dtype_backend="pyarrow")
    return [
        {name: None if value is pd.NA else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]


def unchanged(value: Any) -> Any:
    return value


def read_csv(path: Path, separator: str = ",") -> list[dict[str, Any]]:
    frame = pd.read_csv(
        path, encoding="utf-8-sig", dtype=str, keep_default_na=False, sep=separator,
        lineterminator=None,
    )  # fmt: skip
    return [
        {name: parsed(name, cell) for name, cell in row.items()} for row in frame.to_dict("records")
    ]


def read_tsv(path: Path) -> list[dict[str, Any]]:
    return read_csv(path, "\t")


def parsed(name: str, cell: str) -> Any:
    """Numbers and moments, which a text format may write in several ways."""
    kind = COLUMNS[name]
    if kind in (int, float) and cell:
        return kind(cell)
    if kind is bool and cell:
        return {"true": True, "false": False}[cell.lower()]
    return pd.Timestamp(cell) if kind in (date, datetime) and cell else cell


def in_csv(value: Any) -> Any:
    if isinstance(value, list):
        value = join_labels(value)
    if isinstance(value, str):
        return defuse_formula(value)
    return "" if value is None else in_frame(value)


def in_frame(value: Any) -> Any:
    return pd.Timestamp(value) if isinstance(value, date) else value


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n")[:-1]]


def in_json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def read_xlsx(path: Path) -> list[dict[str, Any]]:
    head, *lines = openpyxl.load_workbook(path).active.values
    return [dict(zip(head, line, strict=True)) for line in lines]


def in_xlsx(value: Any) -> Any:
    """XlsxWriter writes numbers with 16 digits."""
    if isinstance(value, float):
        return float(f"{value:.16G}")
    if isinstance(value, list):
        value = join_labels(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, date):
        return datetime.combine(value, time())
    return value


WAYS: dict[str, tuple[Callable[[Path], list[dict[str, Any]]], Callable[[Any], Any]]] = {
    "csv": (read_csv, in_csv),
    "datasets": (read_parquet, unchanged),
    "jsonl": (read_jsonl, in_json),
    "parquet": (read_parquet, unchanged),
    "tsv": (read_tsv, in_csv),  # the example of CONTRIBUTING.md
    "xlsx": (read_xlsx, in_xlsx),
}


class Way:
    """One exporter and how to read what it wrote."""

    def __init__(self, name: str, folder: Path) -> None:
        self.exporter: Exporter = create(Kind.EXPORTER, name)
        self.folder = folder
        self.read, self.value = WAYS[name]

    def there_and_back(self, rows: Iterable[Row], columns: Columns = COLUMNS) -> Any:
        path = self.exporter.write("items", columns, batches(rows, columns), self.folder)
        assert path.name == f"items{self.exporter.suffix}"
        assert self.folder in path.parents
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
    (path,) = (path for path in way.folder.rglob("*") if path.is_file())
    match path.suffix:
        case ".csv":
            names = list(pd.read_csv(path, encoding="utf-8-sig").columns)
        case ".tsv":
            names = list(pd.read_csv(path, sep="\t").columns)
        case ".xlsx":
            names = list(pd.read_excel(path).columns)
        case ".jsonl":
            names = list(COLUMNS)  # JSON lines have no names without rows
        case _:
            names = list(pd.read_parquet(path).columns)
    assert names == list(COLUMNS)


def test_an_export_replaces_the_one_before(way: Way) -> None:
    way.there_and_back([FULL] * 5)
    assert way.there_and_back([EMPTY]) == way.expected([EMPTY])
    assert len([path for path in way.folder.rglob("*") if path.is_file()]) == 1


def test_the_same_rows_give_the_same_bytes(
    way: Way, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever the clock says, and however the rows come in."""
    written = []
    for size in (1, 2):
        folder = tmp_path_factory.mktemp("bytes")
        stream = batches([FULL, EMPTY, FULL, EMPTY], COLUMNS, size)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("time.time", lambda size=size: 1e9 * size)
            written.append(way.exporter.write("items", COLUMNS, stream, folder).read_bytes())
    assert written[0] == written[1]


def test_rows_are_not_gathered(way: Way) -> None:
    """A million rows must not be in memory at once: writing begins before reading ends."""
    grown = []

    def rows() -> Iterator[Row]:
        for n in range(8_000):
            if n == 7_000:
                files = (path for path in way.folder.rglob("*") if path.is_file())
                grown.append(sum(path.stat().st_size for path in files))
            yield {**FULL, "text": f"{n}"}

    way.exporter.write("items", COLUMNS, batches(rows(), COLUMNS, 1_000), way.folder)
    assert grown[0] > 1_000


# XML, of which Excel files consist, has no U+FFFE and U+FFFF; openpyxl reads other controls back as
# they are written, _x0001_.
odd = [*map(chr, range(32)), "_", "\x7f", *map(chr, range(0x80, 0xA0)), "\ufffe", "\uffff"]
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
plain = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=odd), max_size=20)


def rows_of(texts: st.SearchStrategy[str]) -> st.SearchStrategy[list[Row]]:
    return st.lists(
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


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15
)
@given(data=st.data())
def test_any_text_of_an_ad_comes_back(way: Way, data: st.DataObject) -> None:
    drawn = data.draw(rows_of(plain if way.exporter.suffix == ".xlsx" else texts))
    columns = {name: COLUMNS[name] for name in ("text", "labels", "round", "p_age", "item_id")}
    assert way.there_and_back(drawn, columns) == way.expected(drawn)


def test_ten_thousand_columns(way: Way) -> None:
    columns: Columns = {f"c{n}": str for n in range(10_000)}
    row = dict.fromkeys(columns, "x")
    path = way.exporter.write("items", columns, batches([row], columns), way.folder)
    assert path.stat().st_size > 10_000


def test_a_cell_of_a_megabyte(way: Way) -> None:
    row = {**FULL, "text": "è" * 2**20}
    if way.exporter.suffix == ".xlsx":
        with pytest.raises(DataError, match=r"items, row 2, column text: 1048576 char.*32767.*csv"):
            way.there_and_back([EMPTY, row])
    elif way.exporter.suffix in (".csv", ".tsv"):
        path = way.exporter.write("items", COLUMNS, batches([row], COLUMNS), way.folder)
        assert (
            pd.read_csv(path, sep="\t" if path.suffix == ".tsv" else ",")["text"][0] == row["text"]
        )
    else:
        assert way.there_and_back([row]) == way.expected([row])


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


def test_a_name_of_a_column_is_no_formula(tmp_path: Path) -> None:
    columns: Columns = {"=1+1": str, 'a;"b': str}
    row = {"=1+1": "x", 'a;"b': "y"}
    for name, header in (("csv", "'=1+1"), ("xlsx", "=1+1")):
        way = Way(name, tmp_path)
        path = way.exporter.write("items", columns, batches([row], columns), tmp_path)
        frame = (pd.read_csv if name == "csv" else pd.read_excel)(path)
        assert list(frame.columns) == [header, 'a;"b']


def test_numbers_and_harmless_text_stay_as_they_are(tmp_path: Path) -> None:
    row = {**FULL, "round": -3, "p_age": -0.5, "text": "età - 30 = giovane @casa"}
    (exported,) = Way("csv", tmp_path).there_and_back([row])
    assert (exported["round"], exported["p_age"], exported["text"]) == (-3, -0.5, row["text"])


def test_excel_sees_that_it_is_utf_8(tmp_path: Path) -> None:
    Way("csv", tmp_path).there_and_back([FULL])
    assert (tmp_path / "items.csv").read_bytes().startswith(b"\xef\xbb\xbfitem_id,")


def test_times_have_a_time_zone(tmp_path: Path) -> None:
    (exported,) = Way("csv", tmp_path).there_and_back([FULL])
    assert exported["at"] == NOW
    assert exported["at"].utcoffset() == timedelta(0)


def test_another_separator(tmp_path: Path) -> None:
    exporter: Exporter = create(Kind.EXPORTER, "csv", {"separator": ";"})
    row = {**FULL, "text": "uno; due, tre"}
    path = exporter.write("items", COLUMNS, batches([row], COLUMNS), tmp_path)
    assert path.read_bytes().startswith(b"\xef\xbb\xbfitem_id;text;")
    assert read_csv(path, ";")[0]["text"] == row["text"]
    with pytest.raises(ConfigError, match="separator"):
        create(Kind.EXPORTER, "csv", {"separator": "x"})
    with pytest.raises(ConfigError, match="takes no options"):
        create(Kind.EXPORTER, "parquet", {"separator": ";"})


# --- Excel ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("formula", [*FORMULAS, "{=1+1}", "http://example.org", "internal:a!A1"])
def test_text_is_text_in_a_workbook(tmp_path: Path, formula: str) -> None:
    way = Way("xlsx", tmp_path)
    way.there_and_back([{**FULL, "text": formula, "labels": [formula]}])
    sheet = openpyxl.load_workbook(tmp_path / "items.xlsx").active
    for column in ("B", "F"):
        cell = sheet[f"{column}2"]
        assert (cell.data_type, cell.hyperlink) in (("s", None), ("inlineStr", None))


def test_a_workbook_that_holds_too_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    xlsx: Exporter = create(Kind.EXPORTER, "xlsx")
    many: Columns = {f"c{n}": str for n in range(16_385)}
    with pytest.raises(DataError, match="16385 columns, and an Excel sheet holds 16384"):
        xlsx.write("items", many, [], tmp_path)
    monkeypatch.setattr("biasloop.plugins.exporters.xlsx.MAX_ROWS", 4)
    with pytest.raises(DataError, match="more rows than the 3 that"):
        xlsx.write("items", COLUMNS, batches([FULL] * 4, COLUMNS), tmp_path)
    with pytest.raises(DataError, match="row 1, column text: U\\+FFFF"):
        xlsx.write("items", COLUMNS, batches([{**FULL, "text": "a\uffff"}], COLUMNS), tmp_path)
    with pytest.raises(DataError, match="column text: 20000 characters"):  # each counts twice
        xlsx.write("items", COLUMNS, batches([{**FULL, "text": "😀" * 20_000}], COLUMNS), tmp_path)


def test_numbers_that_a_sheet_would_round_are_text(tmp_path: Path) -> None:
    way = Way("xlsx", tmp_path)
    rows = [{**FULL, "round": 2**53 + 1, "p_age": float("inf")}, {**FULL, "p_age": float("nan")}]
    first, second = way.there_and_back(rows)
    assert (first["round"], first["p_age"], second["p_age"]) == (str(2**53 + 1), "inf", "nan")


def test_json_has_no_infinity(tmp_path: Path) -> None:
    rows = [{**FULL, "p_age": value} for value in (float("nan"), float("inf"), 0.5)]
    assert [row["p_age"] for row in Way("jsonl", tmp_path).there_and_back(rows)] == [
        None,
        None,
        0.5,
    ]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_workbook_that_cannot_be_written_is_an_error_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "items.xlsx").mkdir()
    with pytest.raises(IsADirectoryError):
        create(Kind.EXPORTER, "xlsx").write("items", {"a": str}, [], tmp_path)
    gc.collect()  # XlsxWriter leaves a temporary file open then, which is told here


def test_dates_before_those_of_a_sheet_are_text(tmp_path: Path) -> None:
    rows = [{"at": datetime(1677, 1, 1, tzinfo=UTC), "day": date(1899, 12, 31)}]
    columns = {"at": datetime, "day": date}
    create(Kind.EXPORTER, "xlsx").write("items", columns, batches(rows, columns), tmp_path)
    (cells,) = pd.read_excel(tmp_path / "items.xlsx").to_dict("records")
    assert cells == {"at": "1677-01-01T00:00:00+00:00", "day": "1899-12-31"}
