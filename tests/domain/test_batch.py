"""Batches: quotas, arms, inclusion probabilities, order."""

from collections import Counter, defaultdict
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.batch import (
    Arm,
    Candidates,
    Quota,
    Rows,
    Selection,
    compose_batch,
    draw_positions,
    split_batch,
)

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
    found = split_batch(
        size,
        audit_done=done,
        audit_block=block,
        audit_share=audit_share,
        random_share=random_share,
        gold_share=gold_share,
    )
    assert found.acquisition + found.audit + found.random_train + found.gold == size
    assert min(found.acquisition, found.audit, found.random_train, found.gold) >= 0
    if not gold_share:
        assert not found.gold
    if done >= block:
        assert found.audit == round(size * audit_share)


def audit_quotas(size: int, block: int, batches: int) -> list[int]:
    found: list[int] = []
    for _ in range(batches):
        wanted = split_batch(
            size, audit_done=sum(found), audit_block=block, audit_share=0.1, random_share=0.1
        )
        found.append(wanted.audit)
    return found


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
def test_one_item_per_text(have: list[str], taken: list[str]) -> None:
    found = candidates(have, 10).distinct(np.array(taken, str))
    first = {text: i for i, text in reversed(list(enumerate(have))) if text not in taken}
    assert found.hashes.tolist() == [have[i] for i in sorted(first.values())]
    assert found.rows.tolist() == [10 + i for i in sorted(first.values())]
    assert found.ids.tolist() == found.roots.tolist() == [f"item {row}" for row in found.rows]
    assert len(found) == len(set(have) - set(taken))


# --- compose --------------------------------------------------------------------------------------


def last_rows(rows: Rows, n: int) -> Rows:
    """A strategy that can be foretold."""
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

    def batch(wanted: Quota) -> list[Selection]:
        rng = np.random.default_rng(seed)
        return compose_batch(train, audit, wanted, acquire, rng, max_per_ad=1, gold=gold)

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
    assert batch(Quota(4, 2, 1)) == compose_batch(
        train, audit, Quota(4, 2, 1), acquire, rng, max_per_ad=1
    )


quotas = st.builds(Quota, st.integers(0, 8), st.integers(0, 8), st.integers(0, 8))


@given(hashes, hashes, quotas, st.booleans(), st.integers(0, 2**32))
def test_a_batch(
    train_texts: list[str], audit_texts: list[str], wanted: Quota, model: bool, seed: int
) -> None:
    train = candidates(train_texts).distinct()
    audit = candidates(audit_texts, 100).distinct()  # texts may stand on both sides
    rng = np.random.default_rng(seed)
    batch = compose_batch(train, audit, wanted, last_rows if model else None, rng, max_per_ad=1)

    texts = dict(zip([*train.ids, *audit.ids], [*train.hashes, *audit.hashes], strict=True))
    rows = dict(zip([*train.ids, *audit.ids], [*train.rows, *audit.rows], strict=True))
    assert [s.position for s in batch] == list(range(len(batch)))
    assert all(s.row == rows[s.item_id] for s in batch)
    assert all((s.row >= 100) == (s.arm is Arm.AUDIT) for s in batch)  # arms keep to their split
    assert len({texts[s.item_id] for s in batch}) == len(batch)  # one item per text

    arms = Counter(s.arm for s in batch)
    left = len(set(train.hashes) - {texts[s.item_id] for s in batch if s.arm is Arm.AUDIT})
    total = wanted.acquisition + wanted.audit + wanted.random_train
    assert arms[Arm.AUDIT] == min(wanted.audit, len(audit))
    assert arms[Arm.RANDOM_TRAIN] == min(wanted.random_train, left)
    assert len(batch) == min(total, arms[Arm.AUDIT] + left)  # acquisition fills up
    for s in batch:
        chosen = model and s.arm is Arm.ACQUISITION
        assert s.probability is None if chosen else 0 < (s.probability or 0) <= 1


@given(st.integers(0, 2**32))
def test_the_same_seed_gives_the_same_batch(seed: int) -> None:
    def once(with_seed: int) -> list[Selection]:
        rng = np.random.default_rng(with_seed)
        return compose_batch(
            distinct(40), distinct(20, 100), Quota(5, 4, 3), last_rows, rng, max_per_ad=3
        )

    assert once(seed) == once(seed)
    assert once(seed) != once(seed + 1)


def test_the_strategy_chooses_among_what_the_random_arm_left() -> None:
    offered: list[Rows] = []

    def acquire(rows: Rows, n: int) -> Rows:
        offered.append(rows)
        return rows[:n]

    rng = np.random.default_rng(1)
    batch = compose_batch(distinct(10, 50), distinct(0), Quota(4, 0, 3), acquire, rng, max_per_ad=3)
    drawn = [s.row for s in batch if s.arm is Arm.RANDOM_TRAIN]
    assert offered[0].tolist() == [row for row in range(50, 60) if row not in drawn]
    chosen = {s.row for s in batch if s.arm is Arm.ACQUISITION}
    assert chosen == set(offered[0][:4].tolist())


@pytest.mark.parametrize("pool", ["train", "audit", "both"])
def test_empty_pools_give_what_there_is(pool: str) -> None:
    train = distinct(0 if pool in ("train", "both") else 9)
    audit = distinct(0 if pool in ("audit", "both") else 9, 100)
    for acquire in (last_rows, None):
        rng = np.random.default_rng(0)
        batch = compose_batch(train, audit, Quota(3, 2, 1), acquire, rng, max_per_ad=3)
        arms = Counter(s.arm for s in batch)
        if pool == "train":
            assert arms == {Arm.AUDIT: 2}
        elif pool == "audit":
            assert arms == {Arm.ACQUISITION: 5, Arm.RANDOM_TRAIN: 1}
        else:
            assert batch == []


# --- at most so many of one ad --------------------------------------------------------------------


sizes = st.lists(st.integers(1, 9), min_size=1, max_size=12)


@given(sizes, st.integers(0, 60), st.integers(1, 4), st.integers(0, 2**32))
def test_a_draw_keeps_to_the_cap_and_is_else_of_equal_chances(
    ad_sizes: list[int], n: int, most: int, seed: int
) -> None:
    ads = np.repeat(np.arange(len(ad_sizes)), ad_sizes)
    drawn, chance = draw_positions(ads, n, most, np.random.default_rng(seed))
    assert len(drawn) == min(n, sum(min(size, most) for size in ad_sizes))
    assert np.all(np.diff(drawn) > 0)
    assert np.bincount(ads[drawn]).max(initial=0) <= most
    assert chance.sum() == pytest.approx(len(drawn))
    share = np.bincount(ads, weights=chance)
    assert np.all(share <= most + 1e-9)
    free = share[ads] < most - 1e-9  # items of ads that the cap does not hold back
    if free.any():
        assert np.ptp(chance[free]) < 1e-9
        assert chance.max() <= chance[free].max() + 1e-9


@given(sizes, quotas, st.integers(1, 4), st.booleans(), st.integers(0, 2**32))
def test_a_batch_holds_at_most_so_many_of_an_ad_and_is_full_if_it_can(
    ad_sizes: list[int], wanted: Quota, most: int, model: bool, seed: int
) -> None:
    """Rows are ranked by ad, so that a strategy runs into full ads all the time."""
    roots = [f"ad {a}" for a, size in enumerate(ad_sizes) for _ in range(size)]
    half = len(roots) // 2
    train, audit = distinct(half, 0, roots[:half]), distinct(len(roots) - half, 100, roots[half:])
    rng = np.random.default_rng(seed)
    batch = compose_batch(train, audit, wanted, last_rows if model else None, rng, max_per_ad=most)
    pools = {Arm.AUDIT: roots[half:], Arm.ACQUISITION: roots[:half]}
    rows = [s.row for s in batch]
    assert len(set(rows)) == len(rows)
    for arm, pool in pools.items():  # here an ad may have items on both sides
        own = [s for s in batch if (s.arm is Arm.AUDIT) == (arm is Arm.AUDIT)]
        assert max(Counter(pool[s.row % 100] for s in own).values(), default=0) <= most
    possible = {
        arm: sum(min(c, most) for c in Counter(pool).values()) for arm, pool in pools.items()
    }
    arms = Counter(s.arm for s in batch)
    assert arms[Arm.AUDIT] == min(wanted.audit, possible[Arm.AUDIT])
    total = wanted.acquisition + wanted.audit + wanted.random_train
    assert len(batch) == min(total, arms[Arm.AUDIT] + possible[Arm.ACQUISITION])


@given(sizes, st.integers(0, 40), st.integers(1, 4), st.integers(0, 2**32))
def test_a_ranking_is_gone_down_and_full_ads_are_skipped(
    ad_sizes: list[int], n: int, most: int, seed: int
) -> None:
    roots = [f"ad {a}" for a, size in enumerate(ad_sizes) for _ in range(size)]
    rank = np.random.default_rng(seed).permutation(len(roots))

    def acquire(rows: Rows, wanted: int) -> Rows:
        return np.sort(rows[np.argsort(rank[rows])[:wanted]])

    pool, rng = distinct(len(roots), 0, roots), np.random.default_rng(0)
    with patch("biasloop.domain.batch.MAX_ATTEMPTS", 100):
        batch = compose_batch(pool, distinct(0), Quota(n, 0, 0), acquire, rng, max_per_ad=most)
    expected: list[int] = []
    for row in np.argsort(rank):
        if len(expected) < n and sum(roots[r] == roots[row] for r in expected) < most:
            expected.append(int(row))
    assert sorted(s.row for s in batch) == sorted(expected)


@pytest.mark.parametrize("model", [True, False])
def test_inclusion_probabilities_are_what_happens(model: bool) -> None:
    """Over many seeds each item is drawn as often as its probability says; the order tells no arm.

    With a strategy only the random arms have probabilities, and only they are counted. One audit
    ad has three items, of which at most one may be drawn; the others' chances stay equal.
    """
    train, n = distinct(12), 3_000
    audit = distinct(5, 100, ["long", "long", "a", "long", "b"])
    drawn: Counter[tuple[Arm, int]] = Counter()
    probability: dict[tuple[Arm, int], float] = {}
    places: dict[Arm, list[int]] = defaultdict(list)
    for seed in range(n):
        rng = np.random.default_rng(seed)
        acquire = last_rows if model else None
        for s in compose_batch(train, audit, Quota(4, 2, 3), acquire, rng, max_per_ad=1):
            places[s.arm].append(s.position)
            if s.probability is not None:
                drawn[s.arm, s.row] += 1
                assert probability.setdefault((s.arm, s.row), s.probability) == s.probability
    expected = {(Arm.AUDIT, row): 1 / 3 if row in (100, 101, 103) else 1 / 2 for row in audit.rows}
    expected |= {(Arm.RANDOM_TRAIN, row): 3 / 12 for row in train.rows}
    if not model:
        expected |= {(Arm.ACQUISITION, row): 4 / 12 for row in train.rows}
    assert probability == pytest.approx(expected)
    for key, p in probability.items():
        assert abs(drawn[key] / n - p) < 5 * (p * (1 - p) / n) ** 0.5, key
    for found in places.values():  # positions 0 … 8 are uniform for every arm
        assert abs(np.mean(found) - 4) < 5 * np.std(found) / len(found) ** 0.5
