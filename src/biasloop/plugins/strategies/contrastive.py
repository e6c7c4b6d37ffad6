"""A strategy that picks items whose labelled neighbours get different predictions."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Rows
from biasloop.domain.learning import Scores
from biasloop.plugins.strategies.own import Floats, OwnStrategy, chunks, highest, unit

NEIGHBOURS = 10
MAX_PAIRS = 250_000_000
"""Pairs of a candidate and a labelled item that are compared at most; takes some seconds."""
MIN_PROBABILITY = np.float32(1e-6)
"""Smaller probabilities are raised to this, so that no divergence is infinite."""


class Contrastive(OwnStrategy):
    """The candidates whose labelled neighbours are predicted most differently from themselves.

    Contrastive active learning (CAL), Margatina et al. 2021, "Active Learning by Acquiring
    Contrastive Examples": the mean Kullback-Leibler divergence between the predictions of the ten
    nearest labelled items (by cosine) and the candidate's; in multi-label schemes, the sum over
    labels. small-text's ContrastiveActiveLearning also looks for neighbours in the pool, where it
    finds the candidate itself; that is not the published method. Without labelled items the choice
    is random.

    An approximation where candidates times labelled items exceed 250 million: then only a random
    sample of the candidates is compared.
    """

    needs = frozenset({"proba", "embedding"})

    def pick(self, scores: Scores, n: int, rng: np.random.Generator) -> Rows:
        """The n of highest divergence from their labelled neighbours."""
        proba, points = scores.arrays["proba"], scores.arrays["embedding"]
        labelled = unit(scores.labelled.get("embedding", points[:0]))
        m = len(points)
        if not len(labelled):
            return rng.choice(m, n, replace=False)
        size = min(m, max(n, MAX_PAIRS // len(labelled)))
        compared = np.sort(rng.choice(m, size, replace=False)) if size < m else np.arange(m)
        labelled_answers = answers(scores.labelled["proba"], scores.multi)
        worth = np.empty(size, np.float32)
        for chunk in chunks(size, len(labelled)):
            rows = compared[chunk]
            neighbours = _neighbour_weights(unit(points[rows]) @ labelled.T)
            worth[chunk] = _divergence(
                neighbours, labelled_answers, answers(proba[rows], scores.multi)
            )
        return compared[highest(worth, n, rng)]


def answers(proba: NDArray[Any], multi: bool) -> Floats:
    """Probability of each answer, (n, a): each class, or each label's yes and each label's no."""
    each = np.concatenate([proba, 1 - proba], axis=1) if multi else proba
    return np.asarray(np.maximum(each, MIN_PROBABILITY), np.float32)


def _neighbour_weights(similarity: Floats) -> Floats:
    """Weight of each labelled item as a neighbour, (n, l): rows sum to 1."""
    k = min(NEIGHBOURS, similarity.shape[1])
    cutoff = np.partition(similarity, -k, axis=1)[:, -k, None]
    weights = np.asarray(similarity >= cutoff, np.float32)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def _divergence(weights: Floats, labelled: Floats, candidates: Floats) -> Floats:
    """Mean divergence (n,) of the labelled items' answers (l, a) from the candidates' (n, a), with
    the weights (n, l) of the labelled items as neighbours."""
    negative_entropy = (labelled * np.log(labelled)).sum(axis=1)
    cross_entropy = -((weights @ labelled) * np.log(candidates)).sum(axis=1)
    divergence: Floats = weights @ negative_entropy + cross_entropy
    return divergence
