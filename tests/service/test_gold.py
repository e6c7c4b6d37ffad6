"""Gold items: shown like any other, they train nothing and no audit figure counts them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.batch import Arm, Selection
from biasloop.domain.item import Origin, text_hash
from biasloop.domain.label import LabelSource
from biasloop.domain.round import Done
from biasloop.domain.split import Split
from biasloop.reports.annotators import annotators
from biasloop.reports.status import overview
from biasloop.rounds.steps.evaluate.audit import audit_set
from biasloop.rounds.steps.expand.step import corpus_of
from biasloop.rounds.steps.push import label_tasks
from biasloop.rounds.steps.select import labelled_rows
from biasloop.rounds.steps.train.data import training_data
from biasloop.service.service import Biasloop
from biasloop.workspace.create import create_workspace
from biasloop.workspace.seed_check import seed_rows
from biasloop.workspace.settings_file import SETTINGS_FILE
from support.cli import write_jsonl

GOLD = (
    {"id": "g1", "text": "Età massima 30 anni.", "labels": ["age"],
     "context": "Cercasi barista. Età massima 30 anni. Turno serale."},
    {"text": "Orario: 9-18.", "labels": ["inclusive"]},
    {"id": "g3", "text": "Cercasi cuoco.", "labels": ["gender"]},
)  # fmt: skip


@pytest.fixture
def biasloop(tmp_path: Path) -> Any:
    """A workspace with 40 ads and three gold items, a quarter of every batch gold."""
    create_workspace(tmp_path / "w", "job_ads_en")
    (tmp_path / "w" / SETTINGS_FILE).write_text(
        "[loop]\nbatch_size = 8\ngold_share = 0.25\naudit_block = 2\n", "utf-8"
    )
    made = Biasloop(tmp_path / "w")
    ads = ({"id": f"ad-{n}", "text": f"Cercasi aiuto per la sede {n}."} for n in range(40))
    made.import_file(write_jsonl(tmp_path / "ads.jsonl", *ads))
    made.import_file(write_jsonl(tmp_path / "gold.jsonl", *GOLD), label_source=LabelSource.GOLD)
    yield made
    made.ledger.close()


def open_batch(biasloop: Biasloop) -> list[Selection]:
    """The next round, up to its batch."""
    now = datetime.now(UTC)
    biasloop.ledger.rounds.open({}, now)
    for facts in ({}, {"pool_rows": len(biasloop.pool), "scored_with": None}):
        claim = biasloop.ledger.rounds.claim(now, "test", now + timedelta(minutes=1))
        assert claim is not None
        biasloop.ledger.rounds.commit(claim, Done(facts), now)
    assert "select done" in (biasloop.loop.tick() or "")
    number = biasloop.ledger.rounds.all()[-1].id
    return [s for _, s in biasloop.ledger.selections(number)]


def test_a_gold_item_stands_in_its_ad(biasloop: Biasloop) -> None:
    row = int((biasloop.pool.column("origin") == Origin.GOLD).nonzero()[0][0])
    (item,) = biasloop.pool.items([row])
    assert (item.split, item.origin, item.roots) == (Split.AUDIT, Origin.GOLD, ("gold:g1",))
    (task,) = label_tasks(biasloop.pool, [Selection(item.id, row, Arm.GOLD, 1.0, 0)], 0)
    assert (task.text, task.context) == (GOLD[0]["text"], GOLD[0]["context"])


def test_a_gold_row_needs_labels_and_its_own_words(biasloop: Biasloop, tmp_path: Path) -> None:
    rows = (
        {"text": "Senza etichette."},
        {"text": "Altrove.", "labels": ["age"], "context": "Un annuncio."},
    )
    found = biasloop.import_file(
        write_jsonl(tmp_path / "bad.jsonl", *rows), label_source=LabelSource.GOLD
    )
    assert (found.items, found.rejects) == (0, 2)
    again = biasloop.import_file(tmp_path / "gold.jsonl", label_source=LabelSource.GOLD)
    assert (again.items, again.duplicates) == (0, 3)


def test_gold_is_asked_like_any_other_and_teaches_nothing(biasloop: Biasloop) -> None:
    batch = open_batch(biasloop)
    gold = [s for s in batch if s.arm is Arm.GOLD]
    assert len(batch) == 8
    assert len(gold) == 2
    assert overview(biasloop)["gold"] == {"share": 0.25, "items": 3, "left": 1}

    scheme, now = biasloop.campaign.scheme, datetime.now(UTC)
    known = {a.item_id: a.labels for a in biasloop.ledger.annotations()}
    votes = [
        Annotation(
            key=f"ls:{s.position}",
            item_id=s.item_id,
            source=LabelSource.HUMAN,
            standing=Standing.VOTE,
            labels=known.get(s.item_id, ("age",)) if s is not gold[0] else ("religion",),
            asked=scheme.labels,
            policy_id="p",
            annotator="anna@example.org",
            at=now,
            task_id=s.position,
        )
        for s in batch
    ]
    biasloop.ledger.record(votes)
    annotations, method = biasloop.ledger.annotations(), biasloop.settings.votes.consensus
    here = {s.item_id for s in gold}
    learned = training_data(biasloop.pool, annotations, scheme, constructed_weight=0.5)
    assert len(learned)
    assert not here & set(learned["item_id"])
    audited = [s.item_id for s in batch if s.arm is Arm.AUDIT]
    audit = audit_set(biasloop.pool, annotations, scheme, audited)
    assert {item.id for item in audit.items} == set(audited)
    corpus = corpus_of(biasloop.pool, annotations, scheme, method, {}, 0)
    assert not here & {item.id for item, _ in corpus.parents}
    rows, _ = labelled_rows(biasloop.pool, annotations, scheme, len(biasloop.pool), method)
    assert not {s.row for s in gold} & set(rows.tolist())

    (anna,) = annotators(biasloop)["people"]
    assert (anna["votes"], anna["gold"]["n"], anna["gold"]["right"]["value"]) == (8, 2, 0.5)
    assert overview(biasloop)["labels"]["human"] == 6


def test_what_was_asked_is_not_asked_again(biasloop: Biasloop) -> None:
    first = {s.item_id for s in open_batch(biasloop) if s.arm is Arm.GOLD}
    biasloop.ledger.rounds.cancel(0, "", datetime.now(UTC))
    second = {s.item_id for s in open_batch(biasloop) if s.arm is Arm.GOLD}
    assert len(first) == len(second) == 2


def test_the_shipped_gold_fits_its_campaign(tmp_path: Path) -> None:
    create_workspace(tmp_path / "it", "job_ads_it")
    biasloop = Biasloop(tmp_path / "it")
    path = biasloop.workspace.campaign / "gold.jsonl"
    found = biasloop.import_file(path, label_source=LabelSource.GOLD)
    assert found.rejects == 0
    said = {label for a in biasloop.ledger.annotations() for label in a.labels}
    assert said == set(biasloop.campaign.scheme.choices)
    seeds = {text_hash(row["text"]) for _, row in seed_rows(biasloop.campaign.seed_files)}
    assert not seeds & set(biasloop.pool.column("text_hash"))
    biasloop.ledger.close()
