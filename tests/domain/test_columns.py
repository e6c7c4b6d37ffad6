"""Columns of the input: what is stored comes back, and a column has one type over all ads."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.columns import (
    Cell,
    as_kind,
    as_text,
    column_kinds,
    common_kind,
    escape_unprintable,
    from_json,
    rows_from_json,
    to_json,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
CELLS: st.SearchStrategy[Cell] = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | st.dates()
    | st.datetimes()
    | st.datetimes(timezones=st.just(timezone(timedelta(hours=2))))
)
ROWS = st.dictionaries(TEXTS, CELLS, max_size=5)


@given(ROWS)
def test_what_is_stored_comes_back_with_its_type(columns: dict[str, Cell]) -> None:
    again = from_json(to_json(columns))
    assert again == columns
    assert {name: type(cell) for name, cell in again.items()} == {
        name: type(cell) for name, cell in columns.items()
    }


@given(st.lists(ROWS, max_size=5))
def test_many_rows_come_back_as_each_does(rows: list[dict[str, Cell]]) -> None:
    stored = [to_json(row) for row in rows]
    assert rows_from_json([*stored, None]) == [*map(from_json, stored), {}]


def test_an_ad_of_an_earlier_version_has_no_columns() -> None:
    assert from_json("") == from_json(None) == {}
    assert to_json({}) == ""


@given(st.lists(ROWS, max_size=5))
def test_every_cell_fits_the_type_of_its_column(rows: list[dict[str, Cell]]) -> None:
    kinds = column_kinds(rows)
    assert list(kinds) == list(dict.fromkeys(name for row in rows for name in row))
    for row in rows:
        for name, cell in row.items():
            assert type(as_kind(cell, kinds[name])) in (kinds[name], type(None))


@pytest.mark.parametrize(
    ("kinds", "common"),
    [
        (set(), str), ({int}, int), ({int, float}, float), ({date, datetime}, datetime),
        ({bool, int}, str), ({str, int}, str), ({date, str}, str), ({bool}, bool),
    ],
)  # fmt: skip
def test_the_type_of_a_mixed_column(kinds: set[type], common: type) -> None:
    assert common_kind(kinds) is common


def test_values_of_mixed_columns() -> None:
    assert as_kind(3, float) == 3.0
    assert as_kind(date(2026, 3, 1), datetime) == datetime(2026, 3, 1, tzinfo=UTC)
    assert as_kind(datetime(2026, 3, 1, 9), datetime) == datetime(2026, 3, 1, 9, tzinfo=UTC)  # noqa: DTZ001
    assert [as_text(cell) for cell in (None, True, 20100, 1.5, date(2026, 3, 1))] == [
        "",
        "true",
        "20100",
        "1.5",
        "2026-03-01",
    ]


@given(st.text())
def test_a_printed_name_is_one_line_and_steers_nothing(name: str) -> None:
    shown = escape_unprintable(name)
    assert shown.isprintable()
    assert (shown == name) is name.isprintable()
