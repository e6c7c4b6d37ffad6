"""A strategy that picks the items whose labels say most about the rest of the pool."""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

from biasloop.domain.batch import Rows
from biasloop.domain.learning import Scores
from biasloop.errors import ConfigError
from biasloop.plugins.strategies.own import Floats, OwnStrategy, highest
from biasloop.plugins.strategies.uncertainty import BreakingTies, MarginToBorder

MAX_CANDIDATES = 1000
"""Candidates that are considered: those that the model is least sure of."""
POOL_SAMPLE = 1000
"""Size of the random sample of candidates that stands for the pool."""
MAX_LABELLED = 3000
"""Labelled items that are used; if there are more, a random sample of this size."""
PRIOR_VARIANCE = np.float32(64)
"""Prior variance of an item's score (log-odds); docs/strategies.md compares values."""
MIN_INFORMATION = 1e-4
"""Lower limit of the information in an answer, so that its inverse stays finite."""


class Fisher(OwnStrategy):
    """The batch whose answers would lower the variance of the scores over the pool most.

    A-optimal design for logistic regression: Schein & Ungar 2007, "Active learning for logistic
    regression: an evaluation"; greedy, item by item, as in Ash et al. 2021, "Gone Fishing: Neural
    Active Learning with Fisher Embeddings". Here in the dual form: a Gaussian process whose
    covariance is the similarity of feature rows, which have far more dimensions than there are
    labels, and more than an embedding could hold.

    An approximation: the batch comes from the most uncertain candidates, and a sample stands for
    the pool.
    """

    def pick(self, scores: Scores, n: int, rng: np.random.Generator) -> Rows:
        """Raises ConfigError for a classifier without an encoder."""
        if scores.similarity is None:
            raise ConfigError(
                "strategy fisher needs a classifier with an encoder, such as tfidf or embedding; "
                "set strategy.name to auto"
            )
        m, n_labelled = len(scores.arrays["proba"]), len(scores.labelled.get("proba", ()))
        uncertainty = (MarginToBorder() if scores.multi else BreakingTies()).worth(scores)
        candidates = rng.permutation(highest(uncertainty, min(m, max(MAX_CANDIDATES, n)), rng))
        sample = np.sort(rng.choice(m, min(m, POOL_SAMPLE), replace=False))
        labelled = np.sort(rng.choice(n_labelled, min(n_labelled, MAX_LABELLED), replace=False))

        pool_information = information(scores.arrays["proba"], scores.multi)
        columns = np.concatenate([candidates, sample])
        covariance = PRIOR_VARIANCE * scores.similarity(candidates, columns)
        if n_labelled:
            noise = 1 / information(scores.labelled["proba"][labelled], scores.multi)
            to_labelled = PRIOR_VARIANCE * scores.similarity(
                m + labelled, np.append(columns, m + labelled)
            )
            explained = solve_triangular(
                cholesky(to_labelled[:, len(columns) :] + np.diag(noise), lower=True),
                to_labelled[:, : len(columns)],
                lower=True,
            )
            covariance -= explained[:, : len(candidates)].T @ explained
        picked = least_variance(
            covariance, 1 / pool_information[candidates], pool_information[sample], n
        )
        return candidates[picked]


def information(proba: NDArray[np.float32], multi: bool) -> Floats:
    """Fisher information of an answer about the scores, (n,): p (1 - p) for two classes; the sum
    over labels in multi-label schemes."""
    total = (proba * (1 - proba)).sum(axis=1)
    return np.asarray(np.maximum(total if multi else total / 2, MIN_INFORMATION), np.float32)


def least_variance(covariance: Floats, noise: Floats, weight: Floats, n: int) -> Rows:
    """n positions among the candidates, chosen one after the other: each time the one whose answer
    lowers the weighted variance of the targets most.

    `covariance` (c, c + t) is that of the candidates' scores with each other and with those of the
    targets, `noise` (c,) the variance of an answer to each candidate, `weight` (t,) the weight of
    each target. Keeps the changes by the answers so far next to the original matrices
    instead of updating these: a step is two matrix-vector products.
    """
    c = len(noise)
    among, to_targets = covariance[:, :c], covariance[:, c:]
    variance = among.diagonal().copy()
    gain = to_targets**2 @ weight
    picked: list[int] = []
    lowered = np.empty((n, c), np.float32)
    """Per step: covariances with the picked candidate over its answer's standard deviation."""
    targets = np.empty((n, len(weight)), np.float32)
    for step in range(n):
        worth = gain / (noise + variance)
        worth[picked] = -np.inf
        j = int(worth.argmax())
        deviation = np.sqrt(noise[j] + variance[j])
        lowered[step] = (among[:, j] - lowered[:step].T @ lowered[:step, j]) / deviation
        targets[step] = (to_targets[j] - targets[:step].T @ lowered[:step, j]) / deviation
        weighted = weight * targets[step]
        shared = to_targets @ weighted - lowered[:step].T @ (targets[:step] @ weighted)
        gain += lowered[step] * (lowered[step] * (targets[step] @ weighted) - 2 * shared)
        variance -= lowered[step] ** 2
        picked.append(j)
    return np.array(picked, dtype=np.int64)
