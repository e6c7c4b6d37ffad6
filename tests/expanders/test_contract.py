"""What every registered expander must hold, whatever it does."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import biasloop.expanders
from biasloop.domain.item import Ad, Item, Origin, real_item, seed_item
from biasloop.domain.label import LabelSource
from biasloop.domain.split import Split
from biasloop.errors import ConfigError
from biasloop.ports import Expander
from biasloop.registry import Kind, create, names

assert biasloop.expanders  # registers them

SEED = {
    "text": "Cerchiamo un magazziniere.",
    "form": "masculine",
    "labels": ["gender"],
    "versions": [
        {"form": "feminine", "text": "Cerchiamo una magazziniera.", "labels": ["gender"]},
        {"form": "neutral", "text": "Cerchiamo personale per il magazzino.", "labels": ["none"]},
    ],
}


def _counterfactual(folder: Path) -> Expander:
    seeds = folder / "seeds"
    seeds.mkdir()
    (seeds / "one.jsonl").write_text(json.dumps(SEED) + "\n", encoding="utf-8")
    made: Expander = create(Kind.EXPANDER, "counterfactual", {"folder": folder})
    return made


WAYS: dict[str, Callable[[Path], Expander]] = {"counterfactual": _counterfactual}


@pytest.fixture(params=names(Kind.EXPANDER))
def expander(request: pytest.FixtureRequest, tmp_path: Path) -> Expander:
    return WAYS[request.param](tmp_path)


PARENT = seed_item("root", SEED["text"])


def test_makes_synthetic_train_items_of_its_parents(expander: Expander) -> None:
    made = list(expander.expand([(PARENT, ("gender",))], seed=1))
    assert made
    for one in made:
        assert one.item.origin is Origin.SYNTHETIC
        assert one.item.split is Split.TRAIN
        assert one.item.parents == (PARENT.id,)
        assert set(one.item.roots) >= set(PARENT.roots)
        assert one.item.operation
        assert one.item.text.strip()
        assert one.source in (LabelSource.CONSTRUCTED, LabelSource.LLM)


def test_the_same_input_gives_the_same_output(expander: Expander) -> None:
    parents = [(PARENT, ("gender",))]
    assert list(expander.expand(parents, seed=3)) == list(expander.expand(parents, seed=3))


def test_never_descends_from_an_audit_item(expander: Expander) -> None:
    ad = Ad("ad", SEED["text"])
    audit: Item = real_item(ad, 0, len(ad.text), Split.AUDIT)
    assert list(expander.expand([(audit, ("gender",))], seed=1)) == []


def test_repeats_no_text_of_the_batch(expander: Expander) -> None:
    version = seed_item("other", SEED["versions"][0]["text"].upper())
    twin = seed_item("twin", SEED["text"])
    parents = [(PARENT, ("gender",)), (version, ("gender",)), (twin, ("gender",))]
    hashes = [made.item.text_hash for made in expander.expand(parents, seed=1)]
    assert len(hashes) == len(set(hashes))
    assert not {item.text_hash for item, _ in parents} & set(hashes)


def test_no_parents_no_items(expander: Expander) -> None:
    assert list(expander.expand([], seed=1)) == []


@pytest.mark.parametrize("name", names(Kind.EXPANDER))
def test_refuses_unknown_options(name: str) -> None:
    with pytest.raises(ConfigError, match="nonsense"):
        create(Kind.EXPANDER, name, {"nonsense": 1})
