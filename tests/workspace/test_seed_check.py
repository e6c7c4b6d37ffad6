"""The problems that `biasloop validate` reports in seed files; the shipped files have none."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from biasloop.domain.label import Scheme
from biasloop.errors import DataError
from biasloop.workspace.campaign import read_campaign
from biasloop.workspace.seed_check import seed_rows, validate

ROOT = Path(__file__).parents[2]
SCHEME = Scheme(("gender", "age"), multi=True, none_label="inclusive")
GOOD = {
    "id": "1",
    "root": "1",
    "text": "Cerchiamo un cuoco.",
    "labels": ["gender"],
    "spans": [{"start": 10, "end": 18, "label": "gender"}],
    "rewrite": "Cerchiamo una persona in cucina.",
    "sector": "food",
    "register": "agency",
    "form": "masculine",
    "versions": [
        {"form": "feminine", "text": "Cerchiamo una cuoca.", "labels": ["gender"]},
        {"form": "paired", "text": "Cerchiamo un/una cuoco/a.", "labels": ["inclusive"]},
        {"form": "neutral", "text": "Cerchiamo una persona in cucina.", "labels": ["inclusive"]},
    ],
}


def problems(*rows: dict[str, Any]) -> list[str]:
    return validate([(f"line {i}", row) for i, row in enumerate(rows, 1)], SCHEME).problems


@pytest.mark.parametrize("campaign", ["job_ads_it", "job_ads_en"])
def test_the_shipped_seeds_have_no_problems(campaign: str) -> None:
    paths = sorted(p for p in (ROOT / "seeds" / campaign).glob("*.jsonl") if p.stem != "ads")
    scheme = read_campaign(ROOT / "annotation_config" / campaign).scheme
    assert validate(seed_rows(paths), scheme).problems == []


def test_a_good_row_has_no_problem_and_is_counted() -> None:
    findings = validate([("line 1", GOOD)], SCHEME)
    assert findings.problems == []
    assert (findings.rows, findings.quadruples, findings.labels["gender"]) == (1, 1, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ["height"]}, "a label outside the scheme"),
        ({"labels": ["gender", "inclusive"]}, "the negative label together with another"),
        ({"labels": []}, "nothing chosen"),
        ({"text": "  "}, "needs a text"),
        ({"spans": [{"start": 10, "end": 90, "label": "gender"}]}, "not inside the text"),
        ({"spans": [{"start": 11, "end": 18, "label": "gender"}]}, "cuts a word"),
        ({"spans": [{"start": 10, "end": 18, "label": "age"}]}, "the sentence does not have"),
        ({"rewrite": None}, "needs a neutral rewrite"),
        ({"hard_negative": True}, "a hard negative must not have a bias label"),
        ({"root": ""}, "needs an id and a root"),
        ({"colour": "red"}, "unknown keys ['colour']"),
        (
            {"versions": [{"form": "plural", "text": "x", "labels": ["gender"]}]},
            "'plural' is not one of",
        ),
    ],
)
def test_every_problem_is_reported(change: dict[str, Any], message: str) -> None:
    assert any(message in problem for problem in problems(GOOD | change)), problems(GOOD | change)


def test_duplicate_ids_are_reported_also_as_numbers() -> None:
    for ids in ((7, 7), (7, "7"), ("7", 7)):
        rows = [
            GOOD | {"id": row_id, "text": f"{GOOD['text']} {n}"} for n, row_id in enumerate(ids)
        ]
        assert any("an earlier row has the same id" in problem for problem in problems(*rows))


def test_duplicate_texts_and_ids_are_reported_also_among_versions() -> None:
    duplicate = {**GOOD, "id": "2", "text": "CERCHIAMO  una cuoca.", "spans": [], "versions": []}
    assert any("the same text is in line 1" in problem for problem in problems(GOOD, duplicate))
    assert any("an earlier row has the same id '1'" in problem for problem in problems(GOOD, GOOD))


@pytest.mark.parametrize("line", ["{", "[1]"])
def test_a_line_that_is_not_a_json_object_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "seeds.jsonl"
    path.write_text(json.dumps(GOOD) + "\n" + line + "\n", "utf-8")
    with pytest.raises(DataError, match="line 2"):
        list(seed_rows([path]))


@pytest.mark.parametrize("way", ["utf-16", "gzip", "array"])
def test_seeds_are_checked_in_every_form_in_which_they_are_imported(
    tmp_path: Path, way: str
) -> None:
    content = json.dumps([GOOD] if way == "array" else GOOD)
    path = tmp_path / "seeds.jsonl"
    path.write_bytes(content.encode("utf-16" if way == "utf-16" else "utf-8"))
    if way == "gzip":
        path.write_bytes(gzip.compress(path.read_bytes()))
    assert [row for _, row in seed_rows([path])] == [GOOD]
