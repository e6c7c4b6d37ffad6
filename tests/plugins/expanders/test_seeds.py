"""What the author of a seed adds to it: versions, a rewrite, spans."""

import json
from pathlib import Path

import pytest

from biasloop.domain.item import seed_item, text_hash
from biasloop.errors import CampaignError
from biasloop.plugins.expanders.counterfactual import Counterfactual, CounterfactualOptions
from biasloop.plugins.expanders.draft import Draft
from biasloop.plugins.expanders.seeds import Span, read_seeds


def campaign(folder: Path, *rows: object) -> Path:
    (folder / "seeds").mkdir()
    text = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
    (folder / "seeds" / "a.jsonl").write_text(text, encoding="utf-8")
    return folder


ROW = {
    "text": "Cerchiamo un cuoco.",
    "labels": ["gender"],
    "versions": [
        {"form": "feminine", "text": "Cerchiamo una cuoca.", "labels": ["gender"], "spans": []},
        {"form": "paired", "text": "Cerchiamo un/una cuoco/a.", "labels": ["inclusive"]},
    ],
}


def test_versions_carry_their_form_and_labels(tmp_path: Path) -> None:
    expander = Counterfactual(CounterfactualOptions(folder=campaign(tmp_path, ROW, "")))
    parent = seed_item("r", "Cerchiamo  un CUOCO.")  # found by hash, blind to case and spacing
    made = list(expander.expand([(parent, ("gender",))], seed=0))
    assert [(m.item.text, m.labels, m.item.operation) for m in made] == [
        ("Cerchiamo una cuoca.", ("gender",), "version:feminine"),
        ("Cerchiamo un/una cuoco/a.", ("inclusive",), "version:paired"),
    ]


def test_the_limit_holds(tmp_path: Path) -> None:
    options = CounterfactualOptions(folder=campaign(tmp_path, ROW), max_per_parent=1)
    made = list(Counterfactual(options).expand([(seed_item("r", ROW["text"]), ("gender",))], 0))
    assert len(made) == 1


def test_a_campaign_without_seeds_makes_nothing(tmp_path: Path) -> None:
    expander = Counterfactual(CounterfactualOptions(folder=tmp_path))
    assert list(expander.expand([(seed_item("r", ROW["text"]), ("gender",))], 0)) == []


def test_a_rewrite_carries_the_explicit_negative(tmp_path: Path) -> None:
    row = {"text": "Max 30 anni.", "labels": ["age"], "rewrite": "Anche alla prima esperienza."}
    seeds = campaign(tmp_path, row) / "seeds"
    seed = read_seeds(seeds, "inclusive")[text_hash("Max 30 anni.")]
    assert seed.versions == (Draft("Anche alla prima esperienza.", ("inclusive",), "rewrite"),)
    assert read_seeds(seeds, None)[text_hash("Max 30 anni.")].versions == ()


def test_spans_are_read_and_rows_without_labels_are_no_seeds(tmp_path: Path) -> None:
    span = {"start": 0, "end": 11, "label": "age"}
    row = {"text": "Max 30 anni.", "labels": ["age"], "spans": [span]}
    seeds = read_seeds(campaign(tmp_path, row, {"title": "an ad", "text": "…"}) / "seeds", None)
    assert [seed.spans for seed in seeds.values()] == [(Span(0, 11, "age"),)]


@pytest.mark.parametrize(
    "row",
    [
        "{",
        "[]",
        {"text": "x", "labels": [], "versions": [{"form": "paired"}]},
        {"labels": ["a"], "versions": [1]},
        {"labels": ["a"]},
    ],
)
def test_an_unreadable_row_is_named(tmp_path: Path, row: object) -> None:
    with pytest.raises(CampaignError, match=r"a\.jsonl, line 2"):
        Counterfactual(CounterfactualOptions(folder=campaign(tmp_path, ROW, row)))
