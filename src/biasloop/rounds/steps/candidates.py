"""Which items may go to annotators, and which are labelled."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.annotation import Annotation
from biasloop.domain.batch import Arm, Candidates, Frame, Rows, Selection
from biasloop.domain.item import Origin
from biasloop.domain.label import EVIDENCE, Labels, Scheme
from biasloop.domain.measure.design import Design
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


SPLIT_OF_ARM: Mapping[Arm, Split] = {Arm.AUDIT: Split.AUDIT, Arm.RANDOM_TRAIN: Split.TRAIN}
"""The arms that draw at random from real ads, and the split that each draws from."""


def frame_rows(pool: Pool, arm: Arm, preferred: NDArray[np.bool_]) -> Rows:
    """The rows that an arm may draw from, among the first len(preferred), sorted: real items, one
    per text. That is the first one, or the first that is `preferred`."""
    n = len(preferred)
    eligible = (
        (pool.column("origin", n) == Origin.REAL)
        & (pool.column("split", n) == SPLIT_OF_ARM[arm])
        & ~pool.column("erased", n)
    )
    rows = np.flatnonzero(eligible)
    rows = rows[np.argsort(~preferred[rows], kind="stable")]
    chosen: Rows = np.sort(rows[_first_of_each(pool.column("text_hash", n)[rows])])
    return chosen


def _first_of_each(values: NDArray[np.str_]) -> Rows:
    """Where each value first occurs, ascending; a hash table is faster than a sort."""
    import pyarrow as pa

    codes = pa.array(values, pa.string()).dictionary_encode().indices.to_numpy()
    first: Rows = np.flatnonzero(np.diff(np.maximum.accumulate(codes), prepend=-1))
    return first


def frame(pool: Pool, arm: Arm, busy: Set[str], design: Design | None, pool_rows: int) -> Frame:
    """What an arm draws from among the first `pool_rows`; `design` is what its draws came to so far
    (None: there was none).

    It holds items that are busy, too (see measure.design). The audit arm's frame must stay a fair
    sample of real ads, so it keeps texts that were labelled on a train root; evaluation reports
    these separately (R7). No text that an audit item has goes to train.
    """
    ids, hashes = pool.column("id", pool_rows), pool.column("text_hash", pool_rows)
    roots, split = pool.column("root", pool_rows), pool.column("split", pool_rows)
    taken = np.isin(ids, sorted(busy)) if busy else np.zeros(len(ids), bool)
    rows = frame_rows(pool, arm, taken)
    known = Frame.fresh(Candidates(rows, ids[rows], hashes[rows], roots[rows]))
    known = replace(known, free=~taken[rows])
    if design is not None:
        before = np.where(design.certain, 1.0, design.chance)
        known = replace(known, before=before[rows], drawn=design.drawn[rows])
    taken[rows] = False  # what is left is labelled on items that are not in this frame
    if arm is Arm.AUDIT:
        taken &= split == Split.AUDIT
    return known.without(hashes[taken])


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
        if item_label.source in EVIDENCE
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
