"""Folds that never cut a root."""

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.label import Labels


def group_folds(
    labels: Labels, groups: NDArray[np.str_], folds: int, seed: int
) -> NDArray[np.int64]:
    """The fold of every row, shape (n,); rows of one group are in one fold.

    Positives of each label are spread evenly, rarest label first (iterative stratification,
    Sechidis et al. 2011, with groups in the place of rows); groups without any fill up the
    smaller folds. There are as many folds as groups
    when groups are fewer than `folds`.
    """
    names, group_of = np.unique(groups, return_inverse=True)
    folds = min(folds, len(names))
    positives = np.zeros((len(names), labels.shape[1]))
    np.add.at(positives, group_of, labels == 1)
    sizes = np.bincount(group_of)

    totals = positives.sum(axis=0)
    rarity = np.where(positives > 0, totals, np.inf)
    rarest = rarity.argmin(axis=1)
    shuffled = np.random.default_rng(seed).permutation(len(names))
    order = shuffled[np.lexsort((-sizes[shuffled], rarity.min(axis=1)[shuffled]))]

    fold_of = np.zeros(len(names), dtype=np.int64)
    filled = np.zeros((folds, labels.shape[1]))
    rows = np.zeros(folds)
    for group in order:
        crowded = filled[:, rarest[group]] if positives[group].any() else rows
        fold = np.lexsort((rows, crowded))[0]
        fold_of[group] = fold
        filled[fold] += positives[group]
        rows[fold] += sizes[group]
    return fold_of[group_of]
