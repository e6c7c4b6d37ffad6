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
from biasloop.reports import annotators as annotators_report
from biasloop.reports.status import GoldReport, overview
from biasloop.rounds.steps.candidates import labelled_rows
from biasloop.rounds.steps.evaluate.audit import audit_set
from biasloop.rounds.steps.expand.step import build_corpus
from biasloop.rounds.steps.push import label_tasks
from biasloop.rounds.steps.train.data import training_data
from biasloop.service.importing import import_file
from biasloop.service.service import Service
from biasloop.workspace.seed_check import seed_rows
from biasloop.workspace.settings_file import SETTINGS_FILE
from support.cli import write_jsonl
from support.workspaces import CopyBare

GOLD = (
    {"id": "g1", "text": "Età massima 30 anni.", "labels": ["age"],
     "context": "Cercasi barista. Età massima 30 anni. Turno serale."},
    {"text": "Orario: 9-18.", "labels": ["inclusive"]},
    {"id": "g3", "text": "Cercasi cuoco.", "labels": ["gender"]},
)  # fmt: skip


@pytest.fixture
def service(tmp_path: Path, copy_bare: CopyBare) -> Any:
    """A workspace with 40 ads and three gold items, a quarter of every batch gold."""
    copy_bare(tmp_path / "w", "job_ads_en")
    (tmp_path / "w" / SETTINGS_FILE).write_text(
        "[loop]\nbatch_size = 8\ngold_share = 0.25\naudit_block = 2\n", "utf-8"
    )
    made = Service(tmp_path / "w")
    ads = ({"id": f"ad-{n}", "text": f"Cercasi aiuto per la sede {n}."} for n in range(40))
    import_file(made, write_jsonl(tmp_path / "ads.jsonl", *ads))
    import_file(made, write_jsonl(tmp_path / "gold.jsonl", *GOLD), label_source=LabelSource.GOLD)
    yield made
    made.ledger.close()


def open_batch(service: Service) -> list[Selection]:
    """The next round, up to its batch."""
    now = datetime.now(UTC)
    service.ledger.rounds.open({}, now)
    for facts in ({}, {"pool_rows": len(service.pool), "scored_with": None}):
        claim = service.ledger.rounds.claim(now, "test", now + timedelta(minutes=1))
        assert claim is not None
        service.ledger.rounds.commit(claim, Done(facts), now)
    assert "select done" in (service.loop.tick() or "")
    number = service.ledger.rounds.all()[-1].id
    return [s for _, s in service.ledger.selections(number)]


def test_a_gold_item_stands_in_its_ad(service: Service) -> None:
    row = int((service.pool.column("origin") == Origin.GOLD).nonzero()[0][0])
    (item,) = service.pool.items([row])
    assert (item.split, item.origin, item.roots) == (Split.AUDIT, Origin.GOLD, ("gold:g1",))
    (task,) = label_tasks(service.pool, [Selection(item.id, row, Arm.GOLD, 1.0, 0)], 0)
    assert (task.text, task.context) == (GOLD[0]["text"], GOLD[0]["context"])


def test_a_gold_row_needs_labels_and_its_own_words(service: Service, tmp_path: Path) -> None:
    rows = (
        {"text": "Senza etichette."},
        {"text": "Altrove.", "labels": ["age"], "context": "Un annuncio."},
    )
    found = import_file(
        service, write_jsonl(tmp_path / "bad.jsonl", *rows), label_source=LabelSource.GOLD
    )
    assert (found.items, found.rejects) == (0, 2)
    again = import_file(service, tmp_path / "gold.jsonl", label_source=LabelSource.GOLD)
    assert (again.items, again.duplicates) == (0, 3)


def test_gold_is_asked_like_any_other_and_teaches_nothing(service: Service) -> None:
    batch = open_batch(service)
    gold = [s for s in batch if s.arm is Arm.GOLD]
    assert len(batch) == 8
    assert len(gold) == 2
    assert overview(service).gold == GoldReport(share=0.25, items=3, left=1)

    scheme, now = service.campaign.scheme, datetime.now(UTC)
    known = {a.item_id: a.labels for a in service.ledger.annotations()}
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
    service.ledger.record(votes)
    annotations, method = service.ledger.annotations(), service.settings.votes.consensus
    here = {s.item_id for s in gold}
    learned = training_data(service.pool, annotations, scheme, constructed_weight=0.5)
    assert len(learned)
    assert not here & set(learned["item_id"])
    audited = [s.item_id for s in batch if s.arm is Arm.AUDIT]
    audit = audit_set(service.pool, annotations, scheme, audited)
    assert {item.id for item in audit.items} == set(audited)
    corpus = build_corpus(service.pool, annotations, scheme, method, {}, 0)
    assert not here & {item.id for item, _ in corpus.parents}
    rows, _ = labelled_rows(service.pool, annotations, scheme, len(service.pool), method)
    assert not {s.row for s in gold} & set(rows.tolist())

    (anna,) = annotators_report.report(service).people
    assert anna.gold is not None
    assert (anna.votes, anna.gold.n, anna.gold.right.value) == (8, 2, 0.5)
    assert overview(service).labels["human"] == 6


def test_what_was_asked_is_not_asked_again(service: Service) -> None:
    first = {s.item_id for s in open_batch(service) if s.arm is Arm.GOLD}
    service.ledger.rounds.cancel(0, "", datetime.now(UTC))
    second = {s.item_id for s in open_batch(service) if s.arm is Arm.GOLD}
    assert len(first) == len(second) == 2


def test_the_shipped_gold_fits_its_campaign(tmp_path: Path, copy_bare: CopyBare) -> None:
    service = Service(copy_bare(tmp_path / "it", "job_ads_it"))
    path = service.layout.campaign / "gold.jsonl"
    found = import_file(service, path, label_source=LabelSource.GOLD)
    assert found.rejects == 0
    said = {label for a in service.ledger.annotations() for label in a.labels}
    assert said == set(service.campaign.scheme.choices)
    seeds = {text_hash(row["text"]) for _, row in seed_rows(service.campaign.seed_files)}
    assert not seeds & set(service.pool.column("text_hash"))
    service.ledger.close()
