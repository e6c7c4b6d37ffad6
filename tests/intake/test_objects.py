"""Seeds are read by the reader of imports, and an error names the line."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.errors import DataError
from biasloop.intake.objects import read_objects
from biasloop.intake.rows import Row, read_rows
from biasloop.plugins.expanders.seeds import read_seeds
from biasloop.workspace.seed_check import seed_rows
from support.cli import write_jsonl

OBJECTS = st.dictionaries(st.text(max_size=5), st.text(max_size=9) | st.integers() | st.booleans())


@given(rows=st.lists(OBJECTS), mark=st.booleans(), end=st.sampled_from(["\n", "\r\n"]))
def test_objects_are_read_as_written(
    rows: list[dict[str, Any]], mark: bool, end: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Also with other line separators of Unicode in a text, with the mark that Excel writes at
    the beginning, and with or without an end of the last line."""
    path = tmp_path_factory.mktemp("folder") / "rows.jsonl"
    text = end.join(json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_bytes(text.encode("utf-8-sig" if mark else "utf-8"))
    assert list(read_objects(path)) == list(enumerate(rows, 1))


def test_empty_lines_are_skipped_but_numbered(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('\n{"a": 1}\n  \n{"a": 2}\n\n')
    assert list(read_objects(path)) == [(2, {"a": 1}), (4, {"a": 2})]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"text": "x"', "broken JSON: Expecting ',' delimiter at character 12"),
        (b"[" * 100_000, "broken JSON: a number is too long, or nesting too deep"),
        (b'{"n": ' + b"1" * 5_000 + b"}", "broken JSON: a number is too long, or nesting too deep"),
        (b'["x"]', "not a JSON object"),
        (b"3", "not a JSON object"),
        (b'{"text": "perch\xe9"}', "not UTF-8; save the file as UTF-8"),
    ],
)
def test_errors_name_the_line(tmp_path: Path, line: bytes, reason: str) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"\n".join([b"{}", b"", line, b"{}"]))
    rows = read_objects(path)
    assert next(rows) == (1, {})
    with pytest.raises(DataError) as raised:
        next(rows)
    assert str(raised.value) == f"{path}, line 3: {reason}"


@pytest.mark.parametrize("way", ["utf-16", "gzip", "array"])
def test_what_import_reads_is_read_for_seeds_too(tmp_path: Path, way: str) -> None:
    row = {"text": "Età massima: 30 anni.", "labels": ["age"], "rewrite": "Cerchiamo persone."}
    path = write_jsonl(tmp_path / "seeds.jsonl", row)
    if way == "utf-16":
        path.write_text(path.read_text("utf-8"), "utf-16")
    elif way == "gzip":
        path.write_bytes(gzip.compress(path.read_bytes()))
    else:
        path.write_text(f"[{path.read_text('utf-8')}]", "utf-8")
    assert list(read_objects(path)) == [(1, row)]
    (seed,) = read_seeds(tmp_path, "inclusive").values()
    assert seed.text == row["text"]
    assert [version.text for version in seed.versions] == [row["rewrite"]]
    assert [row for _, row in seed_rows([path])] == [row]
    (report,) = read_rows(path)
    assert isinstance(report, Row)
    assert report.text == seed.text


def test_errors_name_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*nowhere.jsonl: No such file"):
        list(read_objects(tmp_path / "nowhere.jsonl"))
