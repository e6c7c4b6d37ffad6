"""The chances of audit items follow what the newest model says, or are equal by setting."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from biasloop.domain.batch import Arm
from biasloop.domain.item import Ad, real_item
from biasloop.domain.measure.design import UNIFORM_PART, Draw
from biasloop.domain.round import Done
from biasloop.domain.split import Split
from biasloop.rounds.child import no_heartbeat
from biasloop.rounds.design import read_design
from biasloop.rounds.steps.evaluate.audit import audit_set
from biasloop.service.service import Service
from biasloop.store.scores import score_file
from biasloop.workspace.settings_file import SETTINGS_FILE
from support.annotations import vote
from support.scored_pool import score_pool
from support.served import TINY

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
AUDIT, POSITIVE = 400, 20


@pytest.fixture
def open_scored(copy_bare: Callable[..., Path], tmp_path: Path) -> Callable[[str], Service]:
    """Opens a workspace with these settings. A model has scored its 400 audit items: it is sure
    that the first 20 have a label."""

    def scored(settings: str) -> Service:
        folder = copy_bare(tmp_path / "workspace", TINY)
        (folder / SETTINGS_FILE).write_text(settings, "utf-8")
        service = Service(folder)
        ads = [Ad(f"a{n}", f"Cerchiamo la persona {n}.") for n in range(AUDIT + 100)]
        splits = [Split.AUDIT] * AUDIT + [Split.TRAIN] * 100
        items = [
            real_item(ad, 0, len(ad.text), split) for ad, split in zip(ads, splits, strict=True)
        ]
        service.pool.append(items, ads)
        label = service.campaign.scheme.labels[0]
        # The model has learned from somebody's answers to two train items.
        train = [
            vote(item.id, *said, task_id=n)
            for n, (item, said) in enumerate(zip(items[-2:], ([label], []), strict=True))
        ]
        service.ledger.record(train)
        score_pool(service, label, NOW)
        scores = score_file(service.layout.scores / "m1", 0, "proba")
        proba = np.full_like(np.load(scores), 0.01)
        proba[:POSITIVE, 0] = 0.9
        np.save(scores, proba)
        return service

    return scored


def select_batch(service: Service) -> dict[str, Draw]:
    """Selects and commits the batch of the open round; returns its draws by arm."""
    claim = service.ledger.rounds.claim(NOW, "test", NOW)
    assert claim
    done = service.steps.select(claim.round, no_heartbeat)
    service.ledger.rounds.commit(claim, done, NOW)
    return {record.arm: record for record in done.records if isinstance(record, Draw)}


def test_items_that_tell_more_have_larger_chances(open_scored: Callable[[str], Service]) -> None:
    service = open_scored("[loop]\nbatch_size = 100\n")
    assert "proba" in service.steps.lookups.score_needs
    draws = select_batch(service)
    chances = draws[Arm.AUDIT].chances[:AUDIT]
    assert chances.sum() == pytest.approx(40, rel=1e-5)  # the share of an opening batch
    assert (chances[:POSITIVE] > 2.5 * chances[POSITIVE:].max()).all()
    assert chances.min() >= UNIFORM_PART * 40 / AUDIT * (1 - 1e-5)
    assert np.ptp(draws[Arm.RANDOM_TRAIN].chances[AUDIT:]) == 0

    # Figures are weighted: the answers of the drawn items stand for the frame.
    drawn = service.pool.column("id")[list(draws[Arm.AUDIT].hits)].tolist()
    label = service.campaign.scheme.labels[0]
    votes = [vote(item, label, task_id=n) for n, item in enumerate([*drawn, "elsewhere"])]
    probability = read_design(service.ledger, service.pool, Arm.AUDIT).sampled_probability
    audit = audit_set(service.pool, votes, service.campaign.scheme, drawn, probability=probability)
    assert len(audit.items) == len(drawn)
    assert audit.weights == pytest.approx(1 / chances[list(draws[Arm.AUDIT].hits)], rel=1e-5)
    # An item that nobody drew stands for nothing.
    other = next(i for i in service.pool.column("id")[:AUDIT] if i not in drawn)
    votes.append(vote(other, label, task_id=999))
    again = audit_set(service.pool, votes, service.campaign.scheme, drawn, probability=probability)
    assert len(again.items) == len(drawn)
    service.close()


def test_all_chances_are_equal_by_setting(open_scored: Callable[[str], Service]) -> None:
    service = open_scored('[loop]\nbatch_size = 100\naudit_chances = "uniform"\n')
    assert service.steps.lookups.score_needs == service.steps.strategy.needs
    chances = select_batch(service)[Arm.AUDIT].chances[:AUDIT]
    assert chances == pytest.approx(np.full(AUDIT, 40 / AUDIT), rel=1e-5)
    service.close()


def test_chances_are_equal_before_there_is_a_model(
    copy_bare: Callable[..., Path], tmp_path: Path
) -> None:
    service = Service(copy_bare(tmp_path / "workspace", TINY))
    ads = [Ad(f"a{n}", f"Cerchiamo la persona {n}.") for n in range(50)]
    service.pool.append([real_item(ad, 0, len(ad.text), Split.AUDIT) for ad in ads], ads)
    service.ledger.rounds.open({}, NOW)
    for facts in ({}, {"pool_rows": 50, "scored_with": None}):
        claim = service.ledger.rounds.claim(NOW, "test", NOW)
        assert claim
        service.ledger.rounds.commit(claim, Done(facts), NOW)
    assert np.ptp(select_batch(service)[Arm.AUDIT].chances) == 0
    service.close()
