"""The inclusion probabilities that a workspace comes to: kept draws, and rounds without any."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from biasloop.domain.batch import Arm, Quota, Selection
from biasloop.domain.item import Ad, real_item
from biasloop.domain.learning import Scores
from biasloop.domain.round import Done
from biasloop.domain.split import Split
from biasloop.errors import LedgerError
from biasloop.rounds.design import inclusion_probabilities, read_design
from biasloop.rounds.steps.candidates import SPLIT_OF_ARM
from biasloop.rounds.steps.select import select
from biasloop.store.ledger import Ledger
from biasloop.store.pool import ArrowPool
from support.annotations import vote

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class First:
    """The strategy: the first candidates."""

    needs = frozenset({"proba"})

    def choose(self, scores: Scores, n: int, seed: int) -> np.ndarray:
        return np.arange(n)


def scores(rows: np.ndarray) -> Scores:
    proba = np.linspace(0, 1, 2 * len(rows), dtype=np.float32).reshape(-1, 2)
    known = np.array([[0, 1], [1, 0]], np.int8)
    return Scores({"proba": proba}, np.full(2, 0.5, np.float32), True, {}, known)


@pytest.fixture
def pool(tmp_path: Path) -> ArrowPool:
    """Ads a0 … a99 of one sentence; the last twenty are audit ads."""
    pool = ArrowPool(tmp_path / "pool")
    add_ads(pool, range(100))
    return pool


def add_ads(pool: ArrowPool, numbers: Sequence[int]) -> None:
    ads = [Ad(f"a{n}", f"Cerchiamo la persona {n}.") for n in numbers]
    items = [
        real_item(ad, 0, len(ad.text), Split.AUDIT if n % 100 >= 80 else Split.TRAIN)
        for n, ad in zip(numbers, ads, strict=True)
    ]
    pool.append(items, ads)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    ledger.migrate()
    yield ledger
    ledger.close()


def record(ledger: Ledger, pool: ArrowPool, records: Sequence[object]) -> None:
    """A round with these records."""
    opened = ledger.rounds.open({}, NOW)
    assert opened
    for done in (Done(), Done({"pool_rows": len(pool)}), Done(records=tuple(records))):
        claim = ledger.rounds.claim(NOW, "me", NOW)
        assert claim
        ledger.rounds.commit(claim, done, NOW)
    while (state := ledger.rounds.get(opened.id)).step not in (None, "close"):
        claim = ledger.rounds.claim(NOW, "me", NOW)
        assert claim, state
        ledger.rounds.commit(claim, Done(), NOW)


def add_round(ledger: Ledger, pool: ArrowPool, quota: Quota, *, model: bool = True) -> None:
    designs = {arm: read_design(ledger, pool, arm) for arm in SPLIT_OF_ARM}
    done = select(
        round_id=len(ledger.rounds.all()),
        pool=pool,
        pool_rows=len(pool),
        answered=ledger.answered_items(),
        selected=ledger.live_selections(),
        quota=quota,
        strategy=First(),
        read_scores=scores if model else None,
        max_per_ad=3,
        seed=0,
        designs=designs,
    )
    record(ledger, pool, done.records)


def test_chances_of_all_rounds_are_combined(ledger: Ledger, pool: ArrowPool) -> None:
    """Each audit draw takes five of those that no draw took before: 5, 10, 15 of 20. The first
    batch is all random: 25 of 80 train items."""
    for number in range(3):
        add_round(ledger, pool, Quota(20, 5, 5), model=number > 0)
    audit, train = (read_design(ledger, pool, arm) for arm in (Arm.AUDIT, Arm.RANDOM_TRAIN))
    assert audit.probability[80:] == pytest.approx(np.full(20, 15 / 20), rel=1e-6)
    assert np.isnan(audit.probability[:80]).all()
    assert train.probability[:80] == pytest.approx(np.full(80, 35 / 80), rel=1e-6)
    audited = {s.row for _, s in ledger.live_selections() if s.arm is Arm.AUDIT}
    assert set(np.flatnonzero(audit.drawn)) == audited
    # What a strategy took and a draw took later counts as drawn, and has no second task.
    selected = [s.row for _, s in ledger.live_selections()]
    assert len(set(selected)) == len(selected) == 90
    chosen = {s.row for _, s in ledger.live_selections() if not s.is_random and s.row < 80}
    assert chosen & set(np.flatnonzero(train.drawn))
    exported = inclusion_probabilities(ledger, pool)
    assert set(np.flatnonzero(~np.isnan(exported))) == {
        *np.flatnonzero(audit.drawn),
        *np.flatnonzero(train.drawn),
    }


def test_a_campaign_that_goes_on_asks_about_every_audit_item(
    ledger: Ledger, pool: ArrowPool
) -> None:
    for _ in range(5):
        add_round(ledger, pool, Quota(0, 5, 0))
    audit = read_design(ledger, pool, Arm.AUDIT)
    assert audit.probability[80:] == pytest.approx(np.ones(20))
    asked = [s.row for _, s in ledger.live_selections() if s.arm is Arm.AUDIT]
    assert sorted(asked) == list(range(80, 100))
    add_ads(pool, range(180, 200))
    add_round(ledger, pool, Quota(0, 5, 0))
    later = read_design(ledger, pool, Arm.AUDIT).probability
    assert later[80:100] == pytest.approx(np.ones(20))
    assert later[100:] == pytest.approx(np.full(20, 5 / 20), rel=1e-6)


def test_a_cancelled_round_drew_nothing(ledger: Ledger, pool: ArrowPool) -> None:
    add_round(ledger, pool, Quota(5, 5, 5))
    add_round(ledger, pool, Quota(5, 5, 5))
    before = read_design(ledger, pool, Arm.AUDIT)
    ledger.rounds.cancel(1, "", NOW)
    after = read_design(ledger, pool, Arm.AUDIT)
    assert before.probability[80:] == pytest.approx(np.full(20, 10 / 20), rel=1e-6)
    assert after.probability[80:] == pytest.approx(np.full(20, 5 / 20), rel=1e-6)
    assert after.drawn.sum() == 5


def test_rounds_without_kept_draws_count_as_one(ledger: Ledger, pool: ArrowPool) -> None:
    """An older version kept the chance of each item in its own round."""
    ids = pool.column("id")

    def selection(row: int, arm: Arm, probability: float | None) -> Selection:
        return Selection(str(ids[row]), row, arm, probability, row)

    record(ledger, pool, [selection(row, Arm.AUDIT, 4 / 20) for row in range(80, 84)])
    record(
        ledger,
        pool,
        [
            *(selection(row, Arm.AUDIT, 2 / 16) for row in range(84, 86)),
            selection(0, Arm.RANDOM_TRAIN, 0.1),
            selection(1, Arm.ACQUISITION, 0.1),
            selection(2, Arm.ACQUISITION, None),
        ],
    )
    audit = read_design(ledger, pool, Arm.AUDIT)
    assert audit.probability[80:] == pytest.approx(np.full(20, 6 / 20))
    assert np.flatnonzero(audit.drawn).tolist() == list(range(80, 86))
    train = read_design(ledger, pool, Arm.RANDOM_TRAIN)
    assert train.probability[:80] == pytest.approx(np.full(80, 2 / 80))
    assert np.flatnonzero(train.drawn).tolist() == [0, 1]
    add_round(ledger, pool, Quota(0, 7, 0))
    audit = read_design(ledger, pool, Arm.AUDIT)
    assert audit.probability[80:] == pytest.approx(np.full(20, 13 / 20), rel=1e-6)


def test_what_came_with_labels_is_certain_and_what_was_taken_down_is_gone(
    ledger: Ledger, pool: ArrowPool
) -> None:
    ids = pool.column("id")
    imported = vote(str(ids[80]), "age", key="import:1", task_id=None)
    ledger.record([imported])
    add_round(ledger, pool, Quota(5, 19, 5))
    pool.erase("a81")
    audit = read_design(ledger, pool, Arm.AUDIT)
    assert audit.sampled[80]
    assert audit.probability[80] == 1
    assert not audit.drawn[80]
    assert not audit.sampled[81]
    assert np.isnan(audit.probability[81])
    assert audit.drawn.sum() == 18


def test_a_damaged_draw_is_named(ledger: Ledger, pool: ArrowPool, tmp_path: Path) -> None:
    import sqlite3

    add_round(ledger, pool, Quota(5, 5, 5))
    with sqlite3.connect(tmp_path / "ledger.db") as database:
        database.execute("update draws set chances = x'00'")
    database.close()
    with pytest.raises(LedgerError, match="replace the ledger with a backup"):
        read_design(ledger, pool, Arm.AUDIT)
