"""Who may be asked about what: the items that still need people, and those that they labelled."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.batch import Candidates, Rows, Selection
from biasloop.domain.item import Origin
from biasloop.domain.label import Labels, LabelSource, Scheme
from biasloop.domain.split import Split
from biasloop.domain.votes.consensus import Method, resolve
from biasloop.ports import Pool


def busy_items(
    annotations: Iterable[Annotation], selected: Iterable[tuple[int, Selection]]
) -> set[str]:
    """Ids that need no new task: somebody spoke on them, or they are or were in a batch."""
    spoken = {
        a.item_id
        for a in annotations
        if a.standing in (Standing.VOTE, Standing.SKIP) and a.source is not LabelSource.GOLD
    }
    return spoken | {selection.item_id for _, selection in selected}


def candidates(
    pool: Pool, busy: set[str], pool_rows: int | None = None
) -> tuple[Candidates, Candidates]:
    """(train, audit): real items that nobody was asked about, one per text."""
    ids = pool.column("id", pool_rows)
    hashes = pool.column("text_hash", pool_rows)
    taken = np.isin(ids, sorted(busy)) if busy else np.zeros(len(ids), bool)
    free = (
        ~taken
        & (pool.column("origin", pool_rows) == Origin.REAL)
        & ~pool.column("erased", pool_rows)
    )
    split = pool.column("split", pool_rows)
    roots = pool.column("root", pool_rows)

    def of(name: Split, known: NDArray[np.bool_]) -> Candidates:
        rows: NDArray[np.int64] = np.flatnonzero(free & (split == name))
        return Candidates(rows, ids[rows], hashes[rows], roots[rows]).distinct(hashes[known])

    # A text labelled on a train root stays an audit candidate on an audit root: audit must stay
    # a fair sample of real ads, and evaluation reports those texts apart (R7).
    return of(Split.TRAIN, taken), of(Split.AUDIT, taken & (split == Split.AUDIT))


def gold_candidates(pool: Pool, busy: set[str]) -> Candidates:
    """Gold items that nobody was asked about, one per text."""
    ids = pool.column("id")
    free = (pool.column("origin") == Origin.GOLD) & ~pool.column("erased")
    rows: Rows = np.flatnonzero(free & ~np.isin(ids, sorted(busy)))
    hashes, roots = pool.column("text_hash")[rows], pool.column("root")[rows]
    return Candidates(rows, ids[rows], hashes, roots).distinct()


def labelled_rows(
    pool: Pool, annotations: Iterable[Annotation], scheme: Scheme, pool_rows: int, method: Method
) -> tuple[Rows, Labels]:
    """Train items below `pool_rows` that people labelled or wrote: their rows (l,), sorted, and
    their labels (l, k)."""
    verdicts = {
        item_id: verdict
        for item_id, verdict in resolve(annotations, scheme, method).items()
        if verdict.source in (LabelSource.HUMAN, LabelSource.SEED)
    }
    rows = pool.rows_of(list(verdicts))
    usable = (rows >= 0) & (rows < pool_rows)
    usable[usable] &= (pool.column("split") == Split.TRAIN)[rows[usable]]
    usable[usable] &= ~pool.column("erased")[rows[usable]]
    order = np.flatnonzero(usable)[np.argsort(rows[usable])]
    found = list(verdicts.values())
    chosen = [found[i] for i in order]
    labels = scheme.encode([v.labels for v in chosen], [v.asked for v in chosen])
    return rows[order], labels
