"""A strategy that asks about what tells most about all the rest."""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

from biasloop.domain.batch import Rows
from biasloop.domain.learning import Scores
from biasloop.errors import ConfigError
from biasloop.plugins.strategies.own import Floats, OwnStrategy, highest
from biasloop.plugins.strategies.uncertainty import BreakingTies, MarginToBorder

DOUBTED = 1000
"""Candidates that are looked at: those that the model doubts most."""
SAMPLE = 1000
"""Candidates, drawn at random, that stand for the pool."""
KNOWN = 3000
"""Labelled items that count as known; of more, so many are drawn."""
PRIOR = np.float32(64)
"""Variance of an item's score (log-odds) before anything is known; docs/strategies.md compares."""
LEAST = 1e-4
"""Information that an answer brings at least."""


class Fisher(OwnStrategy):
    """The batch whose answers would lower the variance of the scores over the pool most.

    A-optimal design for logistic regression: Schein & Ungar 2007, "Active learning for logistic
    regression: an evaluation"; greedy, item by item, as in Ash et al. 2021, "Gone Fishing: Neural
    Active Learning with Fisher Embeddings". Here in the dual, as a Gaussian process whose
    covariance is the likeness of feature rows: these have far more dimensions than there are
    labels, and than an embedding could keep.

    An approximation: the batch comes from the most doubted candidates, the pool is a sample of it.
    """

    def pick(self, scores: Scores, n: int, rng: np.random.Generator) -> Rows:
        """Raises ConfigError for a classifier without an encoder."""
        if scores.similarity is None:
            raise ConfigError(
                "strategy fisher needs a classifier with an encoder, such as tfidf or embedding; "
                "set strategy.name to auto"
            )
        m, known = len(scores.arrays["proba"]), len(scores.labelled.get("proba", ()))
        doubt = (MarginToBorder() if scores.multi else BreakingTies()).worth(scores)
        doubted = rng.permutation(highest(doubt, min(m, max(DOUBTED, n)), rng))
        sample = np.sort(rng.choice(m, min(m, SAMPLE), replace=False))
        labelled = np.sort(rng.choice(known, min(known, KNOWN), replace=False))

        pool = information(scores.arrays["proba"], scores.multi)
        asked = np.concatenate([doubted, sample])
        prior = PRIOR * scores.similarity(doubted, asked)
        if known:
            noise = 1 / information(scores.labelled["proba"][labelled], scores.multi)
            to_known = PRIOR * scores.similarity(m + labelled, np.append(asked, m + labelled))
            told = solve_triangular(
                cholesky(to_known[:, len(asked) :] + np.diag(noise), lower=True),
                to_known[:, : len(asked)],
                lower=True,
            )
            prior -= told[:, : len(doubted)].T @ told
        picked = least_variance(prior, 1 / pool[doubted], pool[sample], n)
        return doubted[picked]


def information(proba: NDArray[np.float32], multi: bool) -> Floats:
    """How much an answer tells about the scores (Fisher information), (n,): p (1 - p) for two
    classes; added up over labels."""
    found = (proba * (1 - proba)).sum(axis=1)
    return np.asarray(np.maximum(found if multi else found / 2, LEAST), np.float32)


def least_variance(covariance: Floats, noise: Floats, weight: Floats, n: int) -> Rows:
    """n positions among the candidates, chosen one after the other: each time the one whose answer
    lowers the weighted variance of the targets most.

    `covariance` (c, c + t) is that of the candidates' scores with each other and with those of the
    targets, `noise` (c,) the variance of an answer to each candidate, `weight` (t,) the weight of
    each target. Works with what the answers so far have changed, not with changed matrices: a step
    is two matrix-vector products.
    """
    c = len(noise)
    among, to_targets = covariance[:, :c], covariance[:, c:]
    variance = among.diagonal().copy()
    gain = to_targets**2 @ weight
    picked: list[int] = []
    lowered = np.empty((n, c), np.float32)
    """By each answer: covariances with the candidate it was about, over its standard deviation."""
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
