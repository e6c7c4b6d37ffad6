"""Files that can be used, and one clear error line for those that cannot."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.label import Scheme
from biasloop.errors import DataError
from biasloop.simulate.gold import Gold, Texts, count_nearly_known, leave_out_known, read_gold
from support.cli import write_jsonl

A, B = {"text": "one", "label": "a"}, {"text": "two", "label": "b"}


def read(folder: Path, pool: str, test: str) -> Gold:
    (folder / "pool.jsonl").write_text(pool, "utf-8")
    (folder / "test.jsonl").write_text(test, "utf-8")
    return read_gold(folder / "pool.jsonl", folder / "test.jsonl")


def lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_single_label(tmp_path: Path) -> None:
    gold = read(tmp_path, "\ufeff" + lines(B, A) + "\n\n", lines(A | {"more": [1]}))
    assert gold.scheme.labels == ("a", "b")  # sorted
    assert not gold.scheme.multi
    assert gold.pool.texts == ("two", "one")
    assert gold.pool.labels.tolist() == [[0, 1], [1, 0]]
    assert gold.test.labels.tolist() == [[1, 0]]


def test_multi_label(tmp_path: Path) -> None:
    pool = lines({"text": "x\u2028y", "labels": ["b", "a"]}, {"text": "z", "labels": []})
    gold = read(tmp_path, pool, lines({"text": "w", "labels": ["b"]}))
    assert gold.scheme.multi
    assert gold.pool.texts == ("x\u2028y", "z")
    assert gold.pool.labels.tolist() == [[1, 1], [0, 0]]


def test_numbers_are_names(tmp_path: Path) -> None:
    gold = read(tmp_path, lines(A | {"label": 0}, B | {"label": 1}), lines(A | {"label": "1"}))
    assert gold.scheme.labels == ("0", "1")
    assert gold.test.labels.tolist() == [[0, 1]]


def test_the_id_follows_the_content(tmp_path: Path) -> None:
    ids = {
        read(tmp_path, *files).id
        for files in (
            (lines(A, B), lines(A)),
            (lines(A, B), lines(A, A)),
            (lines(B, A), lines(A)),
            (lines(A, B | {"label": "a"}, B), lines(A)),
        )
    }
    assert len(ids) == 4
    assert read(tmp_path, lines(A, B), lines(A)).id in ids


BAD = {
    "empty file": ("", lines(A), "pool.jsonl is empty"),
    "empty test": (lines(A, B), "\n\n", "test.jsonl is empty"),
    "broken JSON": (lines(A) + '{"text": "x", \n', lines(A), "pool.jsonl, line 2: broken JSON"),
    "no object": (lines(A, B), lines(A, 3), "test.jsonl, line 2: not a JSON object"),
    "no text": (lines(A, {"label": "b"}), lines(A), "line 2: no column 'text'; it has: label"),
    "blank text": (lines(A, B | {"text": " "}), lines(A), "line 2: the text is empty"),
    "no label": (lines({"text": "x", "gold": 1}), lines(A), "line 1: no column 'label'"),
    "mixed": (lines(A, {"text": "x", "labels": ["a"]}), lines(A), "line 2: no column 'label'"),
    "list as label": (lines(A, B | {"label": ["b"]}), lines(A), "label is not a name"),
    "object as labels": (lines({"text": "x", "labels": {}}), lines(A), "label is not a string"),
    "null": (lines(A, B | {"label": None}), lines(A), "line 2: label is not a name: null"),
    "one class": (lines(A, A), lines(A), "only the label 'a'; there is nothing to learn"),
    "no label at all": (lines({"text": "x", "labels": []}), lines(A), "no label at all"),
    "unknown label": (lines(A, B), lines(A, B | {"label": "c"}), "test.jsonl, line 2: no row of"),
    "other kind": (lines(A, B), lines({"text": "x", "labels": ["a"]}), "has 'labels', but"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_reported_in_one_line(tmp_path: Path, name: str) -> None:
    pool, test, says = BAD[name]
    with pytest.raises(DataError) as gold:
        read(tmp_path, pool, test)
    assert says in str(gold.value)
    assert "\n" not in str(gold.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    good = write_jsonl(tmp_path / "good.jsonl", A, B)
    with pytest.raises(DataError, match=r"cannot read .*nowhere.jsonl: No such file"):
        read_gold(tmp_path / "nowhere.jsonl", good)
    latin = tmp_path / "latin.jsonl"
    latin.write_bytes('{"text": "è", "label": "a"}'.encode("latin-1"))
    with pytest.raises(DataError, match=r"latin.jsonl, line 1: not UTF-8"):
        read_gold(good, latin)


@given(st.sets(st.integers(0, 30), min_size=2), st.sets(st.integers(0, 30), min_size=1))
def test_no_test_text_that_the_pool_has_is_tested_on(pool: set[int], test: set[int]) -> None:
    scheme = Scheme(("a", "b"), multi=True)

    def part(numbers: set[int], form: str) -> Texts:
        rows = sorted(numbers)
        return Texts(tuple(form.format(n) for n in rows), np.array([[n % 2, 1] for n in rows]))

    # A text is the same whatever its case and spacing.
    gold = Gold(scheme, part(pool, "A text {}"), part(test, "a  TEXT {} "))
    if test <= pool:
        with pytest.raises(DataError, match="every test text is in the pool"):
            leave_out_known(gold)
        return
    clean, left_out = leave_out_known(gold)
    assert left_out == len(test & pool)
    assert clean.test.texts == part(test - pool, "a  TEXT {} ").texts
    assert clean.test.labels.tolist() == part(test - pool, "").labels.tolist()
    assert clean.pool is gold.pool


def test_html_is_taken_away_as_at_import(tmp_path: Path) -> None:
    marked = lines(
        {"text": "<p>Caff&egrave; &amp; t&egrave;</p>", "label": "a"},
        {"text": "R&D <3", "label": "b"},
    )
    plain = lines({"text": "Caffè & tè", "label": "a"}, {"text": "Altro", "label": "b"})
    gold = read(tmp_path, marked, plain)
    assert gold.pool.texts == ("Caffè & tè", "R&D <3")
    assert leave_out_known(gold)[1] == 1
    with pytest.raises(DataError, match=r"line 1: the text contains nothing but HTML"):
        read(tmp_path, lines({"text": "<p></p>", "label": "a"}), plain)


@pytest.mark.parametrize("pool_texts", [1, 3, 100])
def test_test_texts_that_are_nearly_in_the_pool_are_counted(
    pool_texts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the pool is cut into chunks: a text with one other word of twenty is nearly the
    same, one with other words is not."""
    monkeypatch.setattr("biasloop.simulate.gold.CHUNK_TEXTS", pool_texts)

    def text(number: int, last: str = "") -> str:
        return " ".join([*(f"w{number}x{n}" for n in range(19)), last or f"end{number}"])

    def part(*texts: str) -> Texts:
        return Texts(texts, np.ones((len(texts), 1), np.int8))

    pool = part(*(text(number) for number in range(5)))
    test = part(text(1, "other"), text(3, "other"), text(3, "another"), text(7), text(8))
    assert count_nearly_known(Gold(Scheme(("a",), multi=True), pool, test)) == 3
