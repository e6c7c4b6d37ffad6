"""Files that are small until they are unpacked cost a message, and neither memory nor time."""

import gzip
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from biasloop.errors import DataError
from biasloop.intake import files, tables
from biasloop.intake.files import records
from biasloop.intake.record import BadRow, Reading, Record

SHEET = "xl/worksheets/sheet1.xml"
HEAD = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    '<row r="1"><c r="A1" t="inlineStr"><is><t>text</t></is></c></row>'
)


def workbook(path: Path, rows: str) -> Path:
    """A workbook whose sheet has these rows below its header, as XML."""
    openpyxl = pytest.importorskip("openpyxl", reason="Excel files need biasloop[excel]")
    openpyxl.Workbook().save(path.with_suffix(".made"))
    with (
        zipfile.ZipFile(path.with_suffix(".made")) as made,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in made.namelist():
            sheet = f"{HEAD}{rows}</sheetData></worksheet>"
            archive.writestr(name, sheet if name == SHEET else made.read(name))
    return path


def row(number: int, text: str) -> str:
    cell = f'<c r="A{number}" t="inlineStr"><is><t>{text}</t></is></c>'
    return f'<row r="{number}">{cell}</row>'


def read(path: Path) -> Iterator[Record]:
    return records(path, Reading(needed=frozenset({"text"})))


def test_a_part_that_inflates_is_named(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", row(2, "a" * (tables.INFLATED_BYTES + 1)))
    with pytest.raises(DataError, match=f"{SHEET} would be unpacked to .*; .* save it as CSV"):
        list(read(path))


def test_a_sheet_that_is_only_repetitive_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "INFLATED_BYTES", 1_000)
    texts = [f"Cercasi {n:05}" for n in range(500)]
    path = workbook(tmp_path / "a.xlsx", "".join(row(n, x) for n, x in enumerate(texts, start=2)))
    assert [values["text"] for _, _, values in read(path) if isinstance(values, dict)] == texts


def test_a_row_that_no_sheet_has_ends_the_reading(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", row(2, "Cercasi cuoca") + row(99_999_999_999, "x"))
    rows = read(path)
    assert next(rows)[0] == 2
    with pytest.raises(DataError, match="a row after number 1048576, which no sheet has"):
        next(rows)


def test_a_text_file_is_never_read_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_LINE", 100)
    path = tmp_path / "a.txt.gz"
    for length, whole in ((100, True), (101, False)):
        path.write_bytes(gzip.compress(b"a" * length))
        (_, _, values) = next(read(path))
        assert isinstance(values, BadRow) is not whole
