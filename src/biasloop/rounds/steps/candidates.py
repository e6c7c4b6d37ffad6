"""Which items may go to annotators, and which are labelled."""

from collections.abc import Iterable, Set

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.annotation import Annotation
from biasloop.domain.batch import Candidates, Rows, Selection
from biasloop.domain.item import Origin
from biasloop.domain.label import Labels, LabelSource, Scheme
from biasloop.domain.split import Split
from biasloop.domain.votes.consensus import ConsensusMethod, resolve_item_labels
from biasloop.ports import Pool


def busy_items(answered: Set[str], selected: Iterable[tuple[int, Selection]]) -> Set[str]:
    """Ids of items that need no new task: they are answered, or a batch has held them."""
    return answered | {selection.item_id for _, selection in selected}


def candidates(
    pool: Pool, busy: Set[str], pool_rows: int | None = None
) -> tuple[Candidates, Candidates]:
    """(train, audit): real items that are not busy, one per text, among the first `pool_rows`."""
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

    def candidates_in(name: Split, labelled: NDArray[np.bool_]) -> Candidates:
        rows: NDArray[np.int64] = np.flatnonzero(free & (split == name))
        return Candidates(rows, ids[rows], hashes[rows], roots[rows]).distinct(hashes[labelled])

    # A text labelled on a train root stays a candidate on an audit root: audit items must stay a
    # fair sample of real ads, and evaluation reports such texts separately (R7).
    audit = candidates_in(Split.AUDIT, taken & (split == Split.AUDIT))
    return candidates_in(Split.TRAIN, taken), audit


def gold_candidates(pool: Pool, busy: Set[str]) -> Candidates:
    """Gold items that are not busy, one per text."""
    ids = pool.column("id")
    free = (pool.column("origin") == Origin.GOLD) & ~pool.column("erased")
    rows: Rows = np.flatnonzero(free & ~np.isin(ids, sorted(busy)))
    hashes, roots = pool.column("text_hash")[rows], pool.column("root")[rows]
    return Candidates(rows, ids[rows], hashes, roots).distinct()


def labelled_rows(
    pool: Pool,
    annotations: Iterable[Annotation],
    scheme: Scheme,
    pool_rows: int,
    method: ConsensusMethod,
) -> tuple[Rows, Labels]:
    """Train items below `pool_rows` that people labelled or wrote as seeds: rows (n,), sorted, and
    labels (n, k)."""
    item_labels = {
        item_id: item_label
        for item_id, item_label in resolve_item_labels(annotations, scheme, method).items()
        if item_label.source in (LabelSource.HUMAN, LabelSource.SEED)
    }
    rows = pool.rows_of(list(item_labels))
    usable = (rows >= 0) & (rows < pool_rows)
    usable[usable] &= (pool.column("split") == Split.TRAIN)[rows[usable]]
    usable[usable] &= ~pool.column("erased")[rows[usable]]
    order = np.flatnonzero(usable)[np.argsort(rows[usable])]
    values = list(item_labels.values())
    chosen = [values[i] for i in order]
    labels = scheme.encode([v.labels for v in chosen], [v.asked for v in chosen])
    return rows[order], labels
