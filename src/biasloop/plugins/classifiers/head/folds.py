"""Assigns rows to folds, without splitting a root."""

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.label import Labels


def group_folds(
    labels: Labels, groups: NDArray[np.str_], folds: int, seed: int
) -> NDArray[np.int64]:
    """The fold of every row, shape (n,); all rows of a group are in the same fold.

    The positives of each label are spread evenly, rarest label first (iterative stratification,
    Sechidis et al. 2011, with groups in place of rows); groups without positives fill up the
    smaller folds. With fewer groups than `folds`, each group is a fold.
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
    positives_in = np.zeros((folds, labels.shape[1]))
    rows_in = np.zeros(folds)
    for group in order:
        load = positives_in[:, rarest[group]] if positives[group].any() else rows_in
        fold = np.lexsort((rows_in, load))[0]
        fold_of[group] = fold
        positives_in[fold] += positives[group]
        rows_in[fold] += sizes[group]
    return fold_of[group_of]
