"""SCORED -> SELECTED: fixes the batch, in the order in which annotators see it."""

from collections.abc import Callable, Sequence, Set
from dataclasses import replace

import numpy as np

from biasloop.domain.batch import Arm, Candidates, Quota, Rows, Selection, compose_batch
from biasloop.domain.learning import Scores
from biasloop.domain.round import Done
from biasloop.ports import Pool, Strategy
from biasloop.rounds.steps.candidates import busy_items, candidates, gold_candidates

ReadScores = Callable[[Rows], Scores]
"""The stored scores of these pool rows."""


def select(
    *,
    round_id: int,
    pool: Pool,
    pool_rows: int,
    answered: Set[str],
    selected: Sequence[tuple[int, Selection]],
    quota: Quota,
    strategy: Strategy,
    read_scores: ReadScores | None,
    max_per_ad: int,
    seed: int,
) -> Done:
    """Composes the batch. Seeded by campaign and round: the same input gives the same batch."""
    busy = busy_items(answered, selected)
    train, audit = candidates(pool, busy, pool_rows)
    batch = choose_batch(
        train,
        audit,
        quota,
        strategy,
        read_scores,
        max_per_ad=max_per_ad,
        seeds=[seed, round_id],
        gold=gold_candidates(pool, busy),
    )
    arms = {str(arm): sum(s.arm is arm for s in batch) for arm in Arm}
    return Done(facts={"batch": len(batch), "arms": arms}, records=tuple(batch))


def choose_batch(
    train: Candidates,
    audit: Candidates,
    quota: Quota,
    strategy: Strategy,
    read_scores: ReadScores | None,
    *,
    max_per_ad: int,
    seeds: list[int],
    gold: Candidates | None = None,
) -> list[Selection]:
    """The batch, in the order in which annotators see it; random where there are no scores yet, and
    as long as the model has no opinion that a strategy could go by."""
    rng = np.random.default_rng(seeds)
    strategy_rng = np.random.default_rng([*seeds, 1])

    def acquire(rows: Rows, n: int) -> Rows:
        assert read_scores is not None
        rows, scores = _scored_rows(rows, read_scores(rows), n)
        if not scores.has_opinion:
            return rows[strategy_rng.choice(len(rows), n, replace=False)]
        return rows[strategy.choose(scores, n, int(strategy_rng.integers(2**32)))]

    return compose_batch(
        train,
        audit,
        quota,
        acquire if read_scores else None,
        rng,
        max_per_ad=max_per_ad,
        gold=gold,
    )


def _scored_rows(rows: Rows, scores: Scores, n: int) -> tuple[Rows, Scores]:
    """Drops the rows that a cascade left out, whose scores are NaN, but keeps at least n rows."""
    values = next(iter(scores.arrays.values()))
    scored = ~np.isnan(values.reshape(len(rows), -1)).any(axis=1)
    if scored.all():
        return rows, scores
    if scored.sum() < n:  # more items became busy since than a cascade allows for
        scored |= np.cumsum(~scored) <= n - scored.sum()
    arrays = {name: np.nan_to_num(array[scored], nan=0.5) for name, array in scores.arrays.items()}
    return rows[scored], replace(scores, arrays=arrays)
