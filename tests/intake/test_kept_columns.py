"""Columns that are no fields: kept with the ad, with their types, within limits."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.columns import Cell, as_text
from biasloop.domain.label import LabelSource, Scheme
from biasloop.intake import columns as module
from biasloop.intake.columns import MAX_CELL, MAX_COLUMNS, MAX_DEPTH, MAX_NAME, as_cell
from biasloop.intake.ingest import ImportReport, import_file
from biasloop.intake.record import BadRow
from biasloop.store.pool import ArrowPool

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


class Workspace:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pool = ArrowPool(folder / "pool")

    def import_(
        self, path: Path, columns: Mapping[str, str] | None = None, **options: Any
    ) -> ImportReport:
        return import_file(
            path,
            pool=self.pool,
            scheme=Scheme(("gender", "age"), multi=True, none_label="inclusive"),
            unit="sentence",
            language="it",
            campaign_seed=7,
            label_source=options.get("label_source"),
            columns=columns or {},
            record=len,
            now=NOW,
            policy_id="p1",
            rejects_folder=self.folder / "rejects",
            progress=lambda _: None,
        )

    def write(self, name: str, content: str) -> Path:
        path = self.folder / name
        path.write_text(content, "utf-8")
        return path

    def columns(self, ad_id: str) -> Mapping[str, Cell]:
        return self.pool.ads([ad_id])[ad_id].columns


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


ROWS: list[dict[str, Any]] = [
    {"id": "a", "text": "Cercasi cuoco.", "sector": "food", "pay": 1500, "published": "2026-03-01"},
    {"id": "b", "text": "Cercasi cuoca.", "sector": None, "pay": 1600, "published": "2026-04-02"},
]
EXPECTED = [
    {"sector": "food", "pay": 1500, "published": date(2026, 3, 1)},
    {"sector": None, "pay": 1600, "published": date(2026, 4, 2)},
]


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet", "xlsx"])
def test_every_format_keeps_columns_with_their_types(workspace: Workspace, suffix: str) -> None:
    frame, path = pd.DataFrame(ROWS), workspace.folder / f"ads.{suffix}"
    if suffix != "csv":  # a table with types has dates of its own
        frame["published"] = pd.to_datetime(frame["published"])
    if suffix == "jsonl":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in ROWS))
    elif suffix == "csv":
        frame.to_csv(path, index=False)
    elif suffix == "parquet":
        frame.to_parquet(path, index=False)
    else:
        frame.to_excel(path, index=False)
    report = workspace.import_(path)
    assert report.columns == ("sector", "pay", "published")
    assert report.column_notes == ()
    for row, expected in zip(ROWS, EXPECTED, strict=True):
        columns = workspace.columns(str(row["id"]))
        assert columns == expected
        assert type(columns["pay"]) is int
        assert type(columns["published"]) is date


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("1500", 1500), ("-3", -3), ("0", 0), ("1500.50", 1500.5), ("0.5", 0.5),
        ("2026-03-01", date(2026, 3, 1)), ("true", True), ("False", False),
        ("2026-03-01 09:30", datetime(2026, 3, 1, 9, 30)),  # noqa: DTZ001
        ("2026-03-01T09:30:00Z", datetime(2026, 3, 1, 9, 30, tzinfo=UTC)),
        ("", None), ("nan", None), ("NaT", None),
        *((text, text) for text in (
            "007", "00100", "+39 333 1234567", "3331234567", "02 1234", "1,5", "1e5", "١٢",
            "2026-02-30", "01/03/2026", "20260301123", "-0", "TRUE!", "12 %", ".5", "5.",
        )),
    ],
)  # fmt: skip
def test_what_a_cell_of_csv_is(text: str, cell: Cell) -> None:
    value = as_cell(text, untyped=True)
    assert (value, type(value)) == (cell, type(cell))


@given(st.text() | st.from_regex(r"[-+0-9.]{1,12}", fullmatch=True))
def test_no_digit_of_a_cell_of_csv_is_lost(text: str) -> None:
    try:
        cell = as_cell(text, untyped=True)
    except BadRow:
        return
    if isinstance(cell, int) and not isinstance(cell, bool):
        assert str(cell) == text
    elif isinstance(cell, float):
        whole, _, decimals = text.partition(".")
        assert as_text(cell) == f"{whole}.{decimals.rstrip('0') or '0'}" or abs(cell) < 1e-4


def test_text_that_looks_like_a_number_stays_text_where_there_are_types() -> None:
    assert as_cell("1500") == "1500"
    assert as_cell("true") == "true"


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+02:00", "9999-12-31T23:59:00-12:00"])
def test_a_time_that_no_column_in_utc_can_hold_is_text(text: str) -> None:
    assert as_cell(text) == text
    assert as_cell(datetime.fromisoformat(text)) == text
    naive = datetime.fromisoformat(text).replace(tzinfo=None, minute=1)
    assert as_cell(naive) == naive


def test_values_of_other_types() -> None:
    assert as_cell(Decimal("1500.00")) == 1500
    assert as_cell(Decimal("1.5")) == 1.5
    assert as_cell(2**70) == str(2**70)
    assert as_cell(float("inf")) == "inf"
    assert as_cell(time(9, 30)) == "09:30:00"
    assert as_cell(["a", {"b": [1]}]) == '["a", {"b": [1]}]'
    stamp = as_cell(pd.Timestamp("2026-03-01 09:30:00.123456789"))
    assert type(stamp) is datetime
    for value in (b"bytes", object()):
        with pytest.raises(BadRow, match="cannot be kept"):
            as_cell(value)


def test_nesting_is_bounded() -> None:
    value: Any = 1
    for _ in range(MAX_DEPTH):
        value = [value]
    assert as_cell(value) == "[" * MAX_DEPTH + "1" + "]" * MAX_DEPTH
    for _ in range(500):
        value = {"x": value}
    with pytest.raises(BadRow, match=f"nested more than {MAX_DEPTH} deep"):
        as_cell(value)


def test_a_cell_that_cannot_be_kept_costs_itself(workspace: Workspace) -> None:
    rows = [
        {"id": "a", "text": "Uno.", "note": "x" * 1_000_000, "pay": 1},
        {"id": "b", "text": "Due.", "note": "\ud800", "pay": 2},
        {"id": "c", "text": "Tre.", "note": "x" * MAX_CELL, "pay": 3},
        {"id": "d", "text": "Quattro.", "note": "y" * (MAX_CELL + 1), "pay": 4},
    ]
    path = workspace.write("ads.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows))
    report = workspace.import_(path)
    assert (report.ads, report.rejects) == (4, 0)
    assert report.column_notes == (
        "column 'note': 2 cells are not kept, the first in line 1: more than 10000 characters",
        "column 'note': 1 cells are not kept, the first in line 2: NUL or half a surrogate pair",
    )
    assert workspace.columns("a") == {"pay": 1}
    assert workspace.columns("c") == {"note": "x" * MAX_CELL, "pay": 3}


def test_too_many_columns_and_names_that_do_not_fit(workspace: Workspace) -> None:
    names = [f"c{n}" for n in range(10_000)]
    row = {"id": "a", "text": "Uno.", "": "x", " ": "y", "n" * (MAX_NAME + 1): 1, "\0": 2}
    row |= dict.fromkeys(names, 1)
    report = workspace.import_(workspace.write("ads.jsonl", json.dumps(row)))
    assert workspace.columns("a") == dict.fromkeys(names[:MAX_COLUMNS], 1)
    assert report.column_notes == (
        "column '', ' ': it has no name, and is not kept",
        f"column '{'n' * MAX_NAME}': a name may have {MAX_NAME} characters; it is not kept",
        r"column '\x00': its name contains NUL or half a surrogate pair; it is not kept",
        f"column 'c200', 'c201', 'c202' and 9797 more: {MAX_COLUMNS} columns of an input are kept; "
        "it is not kept",
    )


def test_the_columns_that_are_counted_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REFUSED", 10)
    kept = module.KeptColumns({"text"})
    for line in range(50):
        kept.read(line, {f"{line}-{n}": 1 for n in range(50)})
    assert len(kept._names) == MAX_COLUMNS
    assert len(kept._refused) == 10


def test_reserved_and_repeated_names(workspace: Workspace) -> None:
    path = workspace.write(
        "ads.csv",
        "id,body,text,sector,sector,ad_id,input_text\n1,Cercasi cuoco.,raw,food,retail,x,y\n",
    )
    report = workspace.import_(path, {"text": "body"})
    assert report.unread == ("ads.csv: of columns with the same name all but the last: 'sector'",)
    assert workspace.columns("1") == {"input_text": "raw", "sector": "retail"}
    assert report.column_notes == (
        "column 'input_text': another column is kept as 'input_text'; it is not kept",
        "column 'text': the name is taken; it is kept as 'input_text'",
    )


def test_a_mixed_column_counts_as_text(workspace: Workspace) -> None:
    path = workspace.write("ads.csv", "id,text,cap\n1,Uno.,20100\n2,Due.,00100\n3,Tre.,\n")
    report = workspace.import_(path)
    assert report.column_notes == (
        "column 'cap': it holds text and whole numbers, and counts as text",
    )


def test_the_first_columns_of_an_ad_win_and_the_others_are_counted(workspace: Workspace) -> None:
    first = workspace.write("a.csv", "id,text,sector\n1,Uno.,food\n2,Due.,retail\n1,Uno.,care\n")
    report = workspace.import_(first)
    assert (report.ads, report.duplicates, report.other_columns) == (2, 1, 1)
    assert workspace.import_(first).other_columns == 1
    report = workspace.import_(
        workspace.write("b.csv", "id,text,sector\n1,Uno.,care\n2,Due.,retail\n")
    )
    assert (report.ads, report.columns, report.other_columns) == (0, (), 1)
    assert workspace.columns("1") == {"sector": "food"}
    without = workspace.import_(workspace.write("c.csv", "id,text\n1,Uno.\n"))
    assert without.other_columns == 0


def test_the_column_of_the_group_is_one_of_the_ad_as_well(workspace: Workspace) -> None:
    workspace.import_(workspace.write("a.csv", "id,text,sector\n1,Uno.,food\n"))
    assert workspace.columns("1") == {"sector": "food"}
    assert workspace.pool.items([0])[0].group == "food"


def test_seeds_have_no_ad_and_gold_sentences_have_one(workspace: Workspace) -> None:
    path = workspace.write("a.csv", "id,text,label,register\n1,Uno.,age,formal\n")
    assert workspace.import_(path).columns == ()
    report = workspace.import_(path, label_source=LabelSource.GOLD)
    assert report.columns == ("register",)
    assert workspace.columns("gold:1") == {"register": "formal"}
