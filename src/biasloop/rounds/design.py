"""The inclusion probability of every item over all rounds."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Arm
from biasloop.domain.measure.design import Design, Draw
from biasloop.rounds.steps.candidates import SPLIT_OF_ARM, frame_rows
from biasloop.store.ledger import Ledger
from biasloop.store.pool import ArrowPool


def read_design(ledger: Ledger, pool: ArrowPool, arm: Arm) -> Design:
    """How the items of AUDIT's or RANDOM_TRAIN's frame came to be known, by pool row.

    Cancelled rounds drew nothing. Items that came with labels by people are certain. Texts that
    were taken down are in no frame any more.
    """
    n = len(pool)
    draws = ledger.batches.draws(arm)
    design = Design.from_draws([*_draw_without_record(ledger, pool, arm), *draws], n)
    imported = pool.rows_of(sorted(ledger.batches.imported_answers()))
    labelled = np.zeros(n, dtype=bool)
    labelled[imported[imported >= 0]] = True
    certain = np.zeros(n, dtype=bool)
    rows = frame_rows(pool, arm, labelled)
    certain[rows] = labelled[rows]
    erased = pool.column("erased")
    return replace(
        design,
        chance=np.where(erased, 0.0, design.chance),
        drawn=design.drawn & ~erased,
        certain=certain,
    )


def inclusion_probabilities(ledger: Ledger, pool: ArrowPool) -> NDArray[np.float64]:
    """By pool row, the inclusion probability of every item that stands for the frame of its arm;
    NaN for all others, such as those that only a strategy chose."""
    probability = np.full(len(pool), np.nan)
    for arm in SPLIT_OF_ARM:
        design = read_design(ledger, pool, arm)
        probability[design.sampled] = design.probability[design.sampled]
    return probability


def _draw_without_record(ledger: Ledger, pool: ArrowPool, arm: Arm) -> list[Draw]:
    """The draws of rounds by a version that did not keep them, as one: n items at random out of the
    N that the pool had, so that the chance of each is n / N."""
    first = ledger.batches.first_draw()
    selected = [
        (round_id, selection)
        for round_id, selection in ledger.live_selections()
        if (first is None or round_id < first)
        and (selection.arm is Arm.AUDIT if arm is Arm.AUDIT else selection.is_random)
    ]
    if not selected:
        return []
    rounds = {round_id for round_id, _ in selected}
    stop = max(
        round_.facts.get("pool_rows", len(pool))
        for round_ in ledger.rounds.all()
        if round_.id in rounds
    )
    drawn = np.zeros(stop, dtype=bool)
    drawn[np.unique([s.row for _, s in selected if s.row < stop])] = True
    rows = frame_rows(pool, arm, drawn)
    hits = rows[drawn[rows]]
    chances = np.full(len(rows), len(hits) / max(1, len(rows)))
    return [Draw.from_frame(arm, rows, chances, hits)]
