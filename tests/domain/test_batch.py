"""Batches: quotas, arms, inclusion probabilities, order."""

from collections import Counter, defaultdict
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.batch import (
    Arm,
    Candidates,
    Frame,
    Quota,
    Rows,
    Selection,
    compose_batch,
    split_batch,
)
from biasloop.domain.measure.design import Design, Draw, draw_chances, draw_positions

# --- quota ----------------------------------------------------------------------------------------


@given(
    st.integers(0, 200),
    st.integers(0, 400),
    st.integers(0, 300),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 0.5),
)
def test_a_quota_fills_the_batch(
    size: int, done: int, block: int, audit_share: float, random_share: float, gold_share: float
) -> None:
    quota = split_batch(
        size,
        audit_done=done,
        audit_block=block,
        audit_share=audit_share,
        random_share=random_share,
        gold_share=gold_share,
    )
    assert quota.acquisition + quota.audit + quota.random_train + quota.gold == size
    assert min(quota.acquisition, quota.audit, quota.random_train, quota.gold) >= 0
    if not gold_share:
        assert not quota.gold
    if done >= block:
        assert quota.audit == round(size * audit_share)


def audit_quotas(size: int, block: int, batches: int) -> list[int]:
    quotas: list[int] = []
    for _ in range(batches):
        quota = split_batch(
            size, audit_done=sum(quotas), audit_block=block, audit_share=0.1, random_share=0.1
        )
        quotas.append(quota.audit)
    return quotas


def test_a_campaign_begins_with_an_audit_block() -> None:
    """Spread over the first batches, met exactly, then the usual share (R7)."""
    assert audit_quotas(50, 70, 6) == [20, 20, 20, 10, 5, 5]
    assert audit_quotas(50, 62, 5) == [20, 20, 20, 5, 5]
    assert audit_quotas(50, 0, 2) == [5, 5]


# --- candidates -----------------------------------------------------------------------------------


def candidates(hashes: list[str], first_row: int = 0, roots: list[str] | None = None) -> Candidates:
    """Each item in an ad of its own unless `roots` are given."""
    rows = np.arange(first_row, first_row + len(hashes))
    ids = np.array([f"item {row}" for row in rows], str)
    return Candidates(rows, ids, np.array(hashes, str), ids if roots is None else np.array(roots))


def distinct(n: int, first_row: int = 0, roots: list[str] | None = None) -> Candidates:
    return candidates([f"text {first_row + i}" for i in range(n)], first_row, roots)


hashes = st.lists(st.sampled_from("abcdef"), max_size=12)


@given(hashes, hashes)
def test_one_item_per_text(texts: list[str], taken: list[str]) -> None:
    remaining = candidates(texts, 10).distinct(np.array(taken, str))
    first = {text: i for i, text in reversed(list(enumerate(texts))) if text not in taken}
    assert remaining.hashes.tolist() == [texts[i] for i in sorted(first.values())]
    assert remaining.rows.tolist() == [10 + i for i in sorted(first.values())]
    assert (
        remaining.ids.tolist()
        == remaining.roots.tolist()
        == [f"item {row}" for row in remaining.rows]
    )
    assert len(remaining) == len(set(texts) - set(taken))


# --- compose --------------------------------------------------------------------------------------


def composed(
    train: Candidates, audit: Candidates, *arguments: Any, **options: Any
) -> list[Selection]:
    """The items of a batch; nothing was drawn or labelled before."""
    return compose_batch(Frame.fresh(train), Frame.fresh(audit), *arguments, **options).selections


def last_rows(rows: Rows, n: int) -> Rows:
    """A predictable strategy."""
    return rows[len(rows) - n :]


@given(hashes, hashes, hashes, st.integers(0, 6), st.booleans(), st.integers(0, 2**32))
def test_gold_items_are_mixed_in(
    train_texts: list[str],
    audit_texts: list[str],
    gold_texts: list[str],
    n: int,
    model: bool,
    seed: int,
) -> None:
    train, audit = candidates(train_texts).distinct(), candidates(audit_texts, 100).distinct()
    gold = candidates(gold_texts, 200).distinct()
    acquire = last_rows if model else None

    def batch(quota: Quota) -> list[Selection]:
        rng = np.random.default_rng(seed)
        return composed(train, audit, quota, acquire, rng, max_per_ad=1, gold=gold)

    mixed = batch(Quota(4, 2, 1, n))
    texts = dict(
        zip(
            [*train.ids, *audit.ids, *gold.ids],
            [*train.hashes, *audit.hashes, *gold.hashes],
            strict=True,
        )
    )
    assert len({texts[s.item_id] for s in mixed}) == len(mixed)  # one item per text
    assert all((s.row >= 200) == (s.arm is Arm.GOLD) for s in mixed)
    audited = {texts[s.item_id] for s in mixed if s.arm is Arm.AUDIT}
    assert sum(s.arm is Arm.GOLD for s in mixed) == min(n, len(set(gold.hashes) - audited))
    left = len(set(train.hashes) - {texts[s.item_id] for s in mixed if s.row >= 100})
    assert len(mixed) == min(7 + n, sum(s.row >= 100 for s in mixed) + left)
    # Without gold, nothing is drawn otherwise than before there was any.
    rng = np.random.default_rng(seed)
    assert batch(Quota(4, 2, 1)) == composed(
        train, audit, Quota(4, 2, 1), acquire, rng, max_per_ad=1
    )


quotas = st.builds(Quota, st.integers(0, 8), st.integers(0, 8), st.integers(0, 8))


@given(hashes, hashes, quotas, st.booleans(), st.integers(0, 2**32))
def test_a_batch(
    train_texts: list[str], audit_texts: list[str], quota: Quota, model: bool, seed: int
) -> None:
    train = candidates(train_texts).distinct()
    audit = candidates(audit_texts, 100).distinct()  # texts may occur in both
    rng = np.random.default_rng(seed)
    batch = composed(train, audit, quota, last_rows if model else None, rng, max_per_ad=1)

    texts = dict(zip([*train.ids, *audit.ids], [*train.hashes, *audit.hashes], strict=True))
    rows = dict(zip([*train.ids, *audit.ids], [*train.rows, *audit.rows], strict=True))
    assert [s.position for s in batch] == list(range(len(batch)))
    assert all(s.row == rows[s.item_id] for s in batch)
    assert all((s.row >= 100) == (s.arm is Arm.AUDIT) for s in batch)  # arms keep to their split
    assert len({texts[s.item_id] for s in batch}) == len(batch)  # one item per text

    arms = Counter(s.arm for s in batch)
    left = len(set(train.hashes) - {texts[s.item_id] for s in batch if s.arm is Arm.AUDIT})
    total = quota.acquisition + quota.audit + quota.random_train
    assert arms[Arm.AUDIT] == min(quota.audit, len(audit))
    assert arms[Arm.RANDOM_TRAIN] == min(quota.random_train, left)
    assert len(batch) == min(total, arms[Arm.AUDIT] + left)  # acquisition fills up
    for s in batch:
        chosen = model and s.arm is Arm.ACQUISITION
        assert s.probability is None if chosen else 0 < (s.probability or 0) <= 1


@given(st.integers(0, 2**32))
def test_the_same_seed_gives_the_same_batch(seed: int) -> None:
    def once(with_seed: int) -> list[Selection]:
        rng = np.random.default_rng(with_seed)
        return composed(
            distinct(40), distinct(20, 100), Quota(5, 4, 3), last_rows, rng, max_per_ad=3
        )

    assert once(seed) == once(seed)
    assert once(seed) != once(seed + 1)


def test_the_strategy_chooses_among_items_not_drawn_at_random() -> None:
    offered: list[Rows] = []

    def acquire(rows: Rows, n: int) -> Rows:
        offered.append(rows)
        return rows[:n]

    rng = np.random.default_rng(1)
    batch = composed(distinct(10, 50), distinct(0), Quota(4, 0, 3), acquire, rng, max_per_ad=3)
    drawn = [s.row for s in batch if s.arm is Arm.RANDOM_TRAIN]
    assert offered[0].tolist() == [row for row in range(50, 60) if row not in drawn]
    chosen = {s.row for s in batch if s.arm is Arm.ACQUISITION}
    assert chosen == set(offered[0][:4].tolist())


@pytest.mark.parametrize("pool", ["train", "audit", "both"])
def test_empty_pools_give_smaller_batches(pool: str) -> None:
    train = distinct(0 if pool in ("train", "both") else 9)
    audit = distinct(0 if pool in ("audit", "both") else 9, 100)
    for acquire in (last_rows, None):
        rng = np.random.default_rng(0)
        batch = composed(train, audit, Quota(3, 2, 1), acquire, rng, max_per_ad=3)
        arms = Counter(s.arm for s in batch)
        if pool == "train":
            assert arms == {Arm.AUDIT: 2}
        elif pool == "audit":
            assert arms == {Arm.ACQUISITION: 5, Arm.RANDOM_TRAIN: 1}
        else:
            assert batch == []


# --- limit per ad ---------------------------------------------------------------------------------


sizes = st.lists(st.integers(1, 9), min_size=1, max_size=12)


@given(sizes, st.integers(0, 60), st.integers(1, 4), st.integers(0, 2**32))
def test_a_draw_respects_the_limit_and_is_otherwise_uniform(
    ad_sizes: list[int], n: int, limit: int, seed: int
) -> None:
    ads = np.repeat(np.arange(len(ad_sizes)), ad_sizes)
    m = len(ads)
    chance = draw_chances(np.ones(m), np.zeros(m), ads, n, limit)
    drawn = draw_positions(chance, ads, np.random.default_rng(seed))
    assert len(drawn) == min(n, sum(min(size, limit) for size in ad_sizes))
    assert np.all(np.diff(drawn) > 0)
    assert np.bincount(ads[drawn]).max(initial=0) <= limit
    assert chance.sum() == pytest.approx(len(drawn))
    share = np.bincount(ads, weights=chance)
    assert np.all(share <= limit + 1e-9)
    free = share[ads] < limit - 1e-9  # items of ads below the limit
    if free.any():
        assert np.ptp(chance[free]) < 1e-9
        assert chance.max() <= chance[free].max() + 1e-9


@given(sizes, quotas, st.integers(1, 4), st.booleans(), st.integers(0, 2**32))
def test_a_batch_respects_the_limit_per_ad_and_is_full_if_possible(
    ad_sizes: list[int], quota: Quota, limit: int, model: bool, seed: int
) -> None:
    """Rows are ranked by ad, so that a strategy runs into full ads all the time."""
    roots = [f"ad {a}" for a, size in enumerate(ad_sizes) for _ in range(size)]
    half = len(roots) // 2
    train, audit = distinct(half, 0, roots[:half]), distinct(len(roots) - half, 100, roots[half:])
    rng = np.random.default_rng(seed)
    batch = composed(train, audit, quota, last_rows if model else None, rng, max_per_ad=limit)
    pools = {Arm.AUDIT: roots[half:], Arm.ACQUISITION: roots[:half]}
    rows = [s.row for s in batch]
    assert len(set(rows)) == len(rows)
    for arm, pool in pools.items():  # here an ad may have items in both
        selected = [s for s in batch if (s.arm is Arm.AUDIT) == (arm is Arm.AUDIT)]
        assert max(Counter(pool[s.row % 100] for s in selected).values(), default=0) <= limit
    possible = {
        arm: sum(min(c, limit) for c in Counter(pool).values()) for arm, pool in pools.items()
    }
    arms = Counter(s.arm for s in batch)
    assert arms[Arm.AUDIT] == min(quota.audit, possible[Arm.AUDIT])
    total = quota.acquisition + quota.audit + quota.random_train
    assert len(batch) == min(total, arms[Arm.AUDIT] + possible[Arm.ACQUISITION])


@given(sizes, st.integers(0, 40), st.integers(1, 4), st.integers(0, 2**32))
def test_a_ranking_is_followed_and_full_ads_are_skipped(
    ad_sizes: list[int], n: int, limit: int, seed: int
) -> None:
    roots = [f"ad {a}" for a, size in enumerate(ad_sizes) for _ in range(size)]
    rank = np.random.default_rng(seed).permutation(len(roots))

    def acquire(rows: Rows, n: int) -> Rows:
        return np.sort(rows[np.argsort(rank[rows])[:n]])

    pool, rng = distinct(len(roots), 0, roots), np.random.default_rng(0)
    with patch("biasloop.domain.batch.MAX_ATTEMPTS", 100):
        batch = composed(pool, distinct(0), Quota(n, 0, 0), acquire, rng, max_per_ad=limit)
    expected: list[int] = []
    for row in np.argsort(rank):
        if len(expected) < n and sum(roots[r] == roots[row] for r in expected) < limit:
            expected.append(int(row))
    assert sorted(s.row for s in batch) == sorted(expected)


@given(sizes, quotas, st.integers(1, 4), st.booleans(), st.integers(0, 2**32))
def test_later_batches_keep_their_promises_and_end_with_every_item_asked(
    ad_sizes: list[int], quota: Quota, limit: int, model: bool, seed: int
) -> None:
    """Rounds go on as they do in a campaign, until the pool is empty. No batch is too large, holds
    too many items of an ad, or one that was asked before; and nothing that was drawn is lost."""
    roots = [f"ad {a}" for a, size in enumerate(ad_sizes) for _ in range(size)]
    half, total = len(roots) // 2, quota.acquisition + quota.audit + quota.random_train
    pools = {
        Arm.RANDOM_TRAIN: distinct(half, 0, roots[:half]),
        Arm.AUDIT: distinct(len(roots) - half, half, roots[half:]),
    }
    draws: dict[Arm, list[Draw]] = {arm: [] for arm in pools}
    asked = np.zeros(len(roots), dtype=bool)
    rng = np.random.default_rng(seed)
    for _ in range(60):
        frames = []
        for arm, items in pools.items():
            design, rows = Design.from_draws(draws[arm], len(roots)), items.rows
            known = {"before": design.chance[rows], "drawn": design.drawn[rows]}
            frames.append(replace(Frame.fresh(items), free=~asked[rows], **known))
        batch = compose_batch(*frames, quota, last_rows if model else None, rng, max_per_ad=limit)
        rows = np.array([s.row for s in batch.selections], dtype=np.int64)
        assert len(rows) <= total
        assert len(set(rows.tolist())) == len(rows)
        assert not asked[rows].any()
        for arm in pools:
            of_arm = [
                roots[s.row] for s in batch.selections if (s.row >= half) is (arm is Arm.AUDIT)
            ]
            assert max(Counter(of_arm).values(), default=0) <= limit
        asked[rows] = True
        for draw in batch.draws:
            draws[Arm(draw.arm)].append(draw)
    assert asked[half:].all() or not quota.audit
    assert asked[:half].all() or not total


@pytest.mark.parametrize("model", [True, False])
def test_items_are_drawn_as_often_as_their_probability_says(model: bool) -> None:
    """Over many seeds, items are drawn as often as their probability says, in random order.

    With a strategy only the random arms have probabilities, and only they are counted. One audit
    ad has three items, of which at most one may be drawn; the others' chances stay equal.
    """
    train, n = distinct(12), 3_000
    audit = distinct(5, 100, ["long", "long", "a", "long", "b"])
    drawn: Counter[tuple[Arm, int]] = Counter()
    probability: dict[tuple[Arm, int], float] = {}
    positions_by_arm: dict[Arm, list[int]] = defaultdict(list)
    for seed in range(n):
        rng = np.random.default_rng(seed)
        acquire = last_rows if model else None
        for s in composed(train, audit, Quota(4, 2, 3), acquire, rng, max_per_ad=1):
            positions_by_arm[s.arm].append(s.position)
            if s.probability is not None:
                key = Arm.AUDIT if s.arm is Arm.AUDIT else Arm.RANDOM_TRAIN, s.row
                drawn[key] += 1
                assert probability.setdefault(key, s.probability) == s.probability
    expected = {(Arm.AUDIT, row): 1 / 3 if row in (100, 101, 103) else 1 / 2 for row in audit.rows}
    expected |= {(Arm.RANDOM_TRAIN, row): (3 if model else 7) / 12 for row in train.rows}
    assert probability == pytest.approx(expected)
    for key, p in probability.items():
        assert abs(drawn[key] / n - p) < 5 * (p * (1 - p) / n) ** 0.5, key
    for positions in positions_by_arm.values():  # positions 0 … 8 are uniform for every arm
        assert abs(np.mean(positions) - 4) < 5 * np.std(positions) / len(positions) ** 0.5
