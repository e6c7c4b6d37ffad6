"""The data of a demo is read as an import reads it, so that every answer finds its text."""

import gzip
from pathlib import Path

import pytest

from biasloop.domain.label import Scheme
from biasloop.errors import DataError
from biasloop.simulate.demo import _labelled_rows

SCHEME = Scheme(("age", "gender"), multi=True, none_label="none")


@pytest.mark.parametrize("packed", [False, True])
def test_labels_in_a_cell_and_html(tmp_path: Path, packed: bool) -> None:
    table = 'text;labels\n"<p>Et&agrave; 30, cuoco</p>";age|gender\nCercasi cuoca;gender\n'
    path = tmp_path / ("data.csv.gz" if packed else "data.csv")
    path.write_bytes(gzip.compress(table.encode()) if packed else table.encode())
    rows = list(_labelled_rows([path], SCHEME))
    assert [row["text"] for row in rows] == ["Età 30, cuoco", "Cercasi cuoca"]
    assert [row["labels"] for row in rows] == [["age", "gender"], ["gender"]]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ('{"text": "x"}', r"line 1: not {"),
        ('{"text": 3.5, "label": null}', r"line 1: not {"),
        ('{"text": ["x"], "label": "age"}', r"line 1: not {"),
        ('{"text": "x", "label": "height"}', r"line 1: a label outside the scheme: \['height'\]"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, row: str, reason: str) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(row)
    with pytest.raises(DataError, match=reason):
        list(_labelled_rows([path], SCHEME))
