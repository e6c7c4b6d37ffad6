"""The expander with a campaign's language: limits, turns, determinism, the real data."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from biasloop.domain.item import Ad, Item, real_item, seed_item
from biasloop.domain.split import Split
from biasloop.errors import CampaignError
from biasloop.labelstudio.label_config import parse_label_config
from biasloop.plugins.expanders.counterfactual import Counterfactual, CounterfactualOptions

ITALIAN = Path(__file__).parents[3] / "annotation_config" / "job_ads_it"

SENTENCES = {
    "Cerchiamo un cuoco esperto per ristorante in centro.": ("gender",),
    "Il candidato sarà inserito nel team.": ("gender",),
    "Lavorerai con i colleghi del magazzino.": ("gender_others",),
    "Cercasi saldatore con esperienza, zona Bari.": ("gender",),
    "Cercasi barista per bar, massimo 30 anni, subito.": ("age",),
    "Buoni pasto e orario flessibile.": ("inclusive",),
}
Labelled = tuple[Item, tuple[str, ...]]


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    shutil.copytree(ITALIAN / "counterfactual", tmp_path / "counterfactual")
    (tmp_path / "seeds").mkdir()
    row = {
        "text": "Cercasi barista per bar, massimo 30 anni, subito.",
        "labels": ["age"],
        "spans": [{"start": 25, "end": 40, "label": "age"}],
    }
    (tmp_path / "seeds" / "a.jsonl").write_text(json.dumps(row), encoding="utf-8")
    return tmp_path


@pytest.fixture
def parents() -> list[Labelled]:
    return [(seed_item(text[:9], text), labels) for text, labels in SENTENCES.items()]


def expander(campaign: Path, limit: int = 6) -> Counterfactual:
    return Counterfactual(CounterfactualOptions(folder=campaign, max_per_parent=limit))


def test_labels_are_valid_in_the_campaigns_scheme(campaign: Path, parents: list[Labelled]) -> None:
    xml = (ITALIAN / "label_config.xml").read_text(encoding="utf-8")
    scheme = parse_label_config(xml, "inclusive").scheme
    made = list(expander(campaign, limit=100).expand(parents, seed=1))
    assert made
    for one in made:
        assert scheme.reason_to_set_aside(one.labels) is None, one


@pytest.mark.parametrize("limit", [0, 1, 3, 6])
def test_the_limit_holds_and_operations_take_turns(
    campaign: Path, parents: list[Labelled], limit: int
) -> None:
    made = list(expander(campaign, limit).expand(parents, seed=1))
    per_parent = Counter(one.item.parents[0] for one in made)
    assert max(per_parent.values(), default=0) == limit
    first = [m.item.operation for m in made if m.item.parents[0] == parents[0][0].id]
    kinds = {operation.partition(":")[0].partition("@")[0] for operation in first}
    assert len(kinds) == min(limit, 4)  # gender, clause, disclaimer, occupation


def test_one_of_each_kind_and_variant(campaign: Path, parents: list[Labelled]) -> None:
    made = list(expander(campaign, limit=100).expand(parents, seed=1))
    keys = Counter(
        (one.item.parents[0], *one.item.operation.partition("@")[0].split(":")[:2]) for one in made
    )
    assert set(keys.values()) == {1}


def test_the_seed_decides_and_nothing_else(campaign: Path, parents: list[Labelled]) -> None:
    one, again = (list(expander(campaign).expand(parents, seed=4)) for _ in range(2))
    assert one == again
    others = [list(expander(campaign).expand(parents, seed=seed)) for seed in range(5, 9)]
    assert any(other != one for other in others)
    # what becomes of one parent does not depend on the others
    alone = list(expander(campaign).expand(parents[:1], seed=4))
    assert alone == one[: len(alone)]


def test_a_marked_request_is_removed(campaign: Path, parents: list[Labelled]) -> None:
    made = expander(campaign).expand(parents, seed=1)
    assert ("Cercasi barista per bar, subito.", ("inclusive",)) in {
        (m.item.text, m.labels) for m in made
    }


def test_nothing_descends_from_audit(campaign: Path) -> None:
    ads = [Ad(str(n), text) for n, text in enumerate(SENTENCES)]
    audit = [(real_item(ad, 0, len(ad.text), Split.AUDIT), SENTENCES[ad.text]) for ad in ads]
    assert list(expander(campaign).expand(audit, seed=1)) == []


@pytest.mark.parametrize("name", ["agreement.toml", "words.toml", "trades.toml", "clauses.toml"])
def test_missing_data_is_named(campaign: Path, name: str) -> None:
    (campaign / "counterfactual" / name).unlink()
    with pytest.raises(CampaignError, match=r"counterfactual"):
        expander(campaign)


def test_a_trade_names_occupations_of_the_lexicon(campaign: Path) -> None:
    trades = campaign / "counterfactual" / "trades.toml"
    trades.write_text('common = "cuoco acrobata-pilota"\ntrade = []\n', encoding="utf-8")
    with pytest.raises(CampaignError, match=r"acrobata-pilota"):
        expander(campaign)


def test_broken_data_is_named(campaign: Path) -> None:
    (campaign / "counterfactual" / "labels.toml").write_text("none = 1\n", encoding="utf-8")
    with pytest.raises(CampaignError, match=r"labels\.toml"):
        expander(campaign)
