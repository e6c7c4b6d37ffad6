"""SCORED -> SELECTED: fixes the batch, in the order in which annotators see it."""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from biasloop.domain.batch import (
    Arm,
    Batch,
    Candidates,
    Frame,
    Quota,
    Rows,
    Selection,
    compose_batch,
)
from biasloop.domain.learning import Scores
from biasloop.domain.measure.design import Array, Design
from biasloop.domain.round import Done
from biasloop.ports import Pool, Strategy
from biasloop.rounds.steps.candidates import busy_items, frame, gold_candidates

ReadScores = Callable[[Rows], Scores]
"""The stored scores of these pool rows."""

AuditSizes = Callable[[Rows], Array]
"""The relative chances, (n,), with which these pool rows should be audited."""


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
    designs: Mapping[Arm, Design] = MappingProxyType({}),
    audit_sizes: AuditSizes | None = None,
) -> Done:
    """Composes the batch. Seeded by campaign and round: the same input gives the same batch.

    `designs` are what the random draws of earlier rounds came to, by arm. Without `audit_sizes` all
    audit items have the same chance.
    """
    busy = busy_items(answered, selected)
    audit = frame(pool, Arm.AUDIT, busy, designs.get(Arm.AUDIT), pool_rows)
    if audit_sizes:
        audit = replace(audit, sizes=audit_sizes(audit.items.rows))
    batch = choose_batch(
        frame(pool, Arm.RANDOM_TRAIN, busy, designs.get(Arm.RANDOM_TRAIN), pool_rows),
        audit,
        quota,
        strategy,
        read_scores,
        max_per_ad=max_per_ad,
        seeds=[seed, round_id],
        gold=gold_candidates(pool, busy),
    )
    arms = {str(arm): sum(s.arm is arm for s in batch.selections) for arm in Arm}
    facts = {"batch": len(batch.selections), "arms": arms}
    return Done(facts=facts, records=(*batch.selections, *batch.draws))


def choose_batch(
    train: Frame,
    audit: Frame,
    quota: Quota,
    strategy: Strategy,
    read_scores: ReadScores | None,
    *,
    max_per_ad: int,
    seeds: list[int],
    gold: Candidates | None = None,
) -> Batch:
    """The batch; random where there are no scores yet, and as long as the model has no opinion that
    a strategy could go by."""
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
