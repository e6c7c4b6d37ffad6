"""Which rewrites of a campaign become pairs for a tuning."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from biasloop.domain.item import Item
from biasloop.domain.label import LabelSource
from biasloop.domain.pair import PairSource
from biasloop.domain.split import Split
from biasloop.errors import DataError
from biasloop.service.importing import import_file
from biasloop.service.service import Service
from biasloop.service.tuning_pairs import read_pairs
from biasloop.service.tunings import Request, check_pairs
from biasloop.tuning.handover import Method, Recipe
from support.annotations import vote
from support.cli import write_jsonl
from support.workspaces import CopyBare


def name(number: int) -> str:
    """A word of its own for every number; digits say nothing about likeness."""
    return "".join("abcdefghij"[int(digit)] for digit in f"{number:04}")


ADS = [
    {"id": f"ad-{n}", "text": f"Waiter wanted in {name(n)} by {name(n + 1000)}."} for n in range(40)
]
HUMAN = (PairSource.HUMAN,)


@pytest.fixture
def service(tmp_path: Path, copy_bare: CopyBare) -> Iterator[Service]:
    opened = Service(copy_bare(tmp_path / "workspace", "job_ads_en", 0))
    import_file(opened, write_jsonl(tmp_path / "ads.jsonl", *ADS))
    yield opened
    opened.close()


def of_split(service: Service, split: Split) -> list[Item]:
    return [i for i in service.pool.items(range(len(service.pool))) if i.split is split]


def rewrite(service: Service, item: Item, text: str, who: str = "a") -> None:
    name = service.campaign.controls.rewrite
    result = [{"type": "textarea", "from_name": name, "to_name": "text", "value": {"text": [text]}}]
    written = vote(item.id, "gender", annotator=who, extra={"result": result})
    service.ledger.record([written])


def test_a_rewrite_of_a_train_item_is_preferred_to_its_sentence(service: Service) -> None:
    (item, *_), (audited, *_) = of_split(service, Split.TRAIN), of_split(service, Split.AUDIT)
    rewrite(service, item, "We look for waiting staff somewhere else.")
    rewrite(service, audited, "Another text, of an audit item.")
    known = read_pairs(service, HUMAN)
    (pair,) = known.pairs
    assert (pair.chosen, pair.rejected) == ("We look for waiting staff somewhere else.", item.text)
    assert pair.prompt.endswith(item.text)
    assert pair.roots == (item.ad_id,)
    assert (known.authors, known.refused) == (1, [])
    assert read_pairs(service, (PairSource.SEED,)).pairs == []


def test_what_an_audit_item_says_is_refused(service: Service) -> None:
    (item, *_), (audited, *_) = of_split(service, Split.TRAIN), of_split(service, Split.AUDIT)
    rewrite(service, item, f"{audited.text} ")
    known = read_pairs(service, HUMAN)
    assert known.pairs == []
    (refused,) = known.refused
    assert (refused.other, refused.why) == (audited.id, "nearly the text of an audit item")


def test_too_few_authors_need_a_decision(service: Service, tmp_path: Path) -> None:
    for number, item in enumerate(of_split(service, Split.TRAIN)[:6]):
        rewrite(service, item, f"Staff for {name(number + 5000)}.", f"p{number}")
    known = read_pairs(service, HUMAN)
    recipe = Recipe(Method.SFT, 1e-4)
    options: dict[str, Any] = {"base": tmp_path, "on": None, "recipe": recipe, "sources": HUMAN}
    with pytest.raises(DataError, match="6 pairs; a tuning needs 50"):
        check_pairs(known, Request(**options))
    assert check_pairs(known, Request(**options, anyway=True)) == ["6 pairs; a tuning needs 50"]


def test_rewrites_of_seeds(service: Service, tmp_path: Path) -> None:
    seed = {"id": "s", "text": "A barman", "labels": ["gender"], "rewrite": "Bar staff"}
    import_file(service, write_jsonl(tmp_path / "s.jsonl", seed), label_source=LabelSource.SEED)
    (pair,) = read_pairs(service, (PairSource.SEED,)).pairs
    assert (pair.chosen, pair.source) == ("Bar staff", PairSource.SEED)
