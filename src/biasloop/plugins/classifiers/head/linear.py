"""One logistic regression per label."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from biasloop.domain.label import Labels
from biasloop.plugins.classifiers.head.calibration import CERTAIN

MAX_STEPS = 1000


@dataclass(frozen=True, slots=True)
class Linear:
    """`coef` of shape (d, k), `intercept` (k,)."""

    coef: NDArray[np.float32]
    intercept: NDArray[np.float64]


def fit_linear(
    rows: sparse.csr_matrix | NDArray[np.float32],
    labels: Labels,
    weights: NDArray[np.float64],
    strength: float,
) -> Linear:
    """Fits each label to the rows (n, d) that have an answer for it; its positives and negatives
    weigh the same in total.

    A label with only positive answers scores CERTAIN on all rows; one with only negative answers,
    or none, scores -CERTAIN.
    """
    d, k = rows.shape[1], labels.shape[1]
    linear = Linear(np.zeros((d, k), dtype=np.float32), np.zeros(k))
    for j in range(k):
        answered = np.flatnonzero((labels[:, j] >= 0) & (weights > 0))
        truth = labels[answered, j] == 1
        if truth.all() or not truth.any():
            linear.intercept[j] = CERTAIN if truth.any() else -CERTAIN
            continue
        model = _regression(sparse.issparse(rows), strength)
        model.fit(rows[answered], truth, sample_weight=_balanced(truth, weights[answered]))
        linear.coef[:, j] = model.coef_[0]
        linear.intercept[j] = model.intercept_[0]
    return linear


def _regression(is_sparse: bool, strength: float) -> Any:
    from sklearn.linear_model import LogisticRegression  # slow to import, and only fitting needs it

    if not is_sparse:
        return LogisticRegression(C=strength, max_iter=MAX_STEPS)
    # The dual has the same solution as the primal and is up to 20 times faster with fewer rows
    # than terms. The seed fixes the order of its steps.
    return LogisticRegression(
        C=strength, solver="liblinear", dual=True, max_iter=MAX_STEPS, random_state=0
    )


def _balanced(truth: NDArray[np.bool_], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    total, yes = weights.sum(), weights[truth].sum()
    factor: NDArray[np.float64] = np.where(truth, total / (2 * yes), total / (2 * (total - yes)))
    return weights * factor
