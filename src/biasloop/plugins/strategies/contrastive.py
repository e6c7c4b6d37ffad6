"""A strategy that asks where neighbours are judged differently."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Rows
from biasloop.domain.learning import Scores
from biasloop.plugins.strategies.own import Floats, OwnStrategy, highest, parts, unit

NEIGHBOURS = 10
PAIRS = 250_000_000
"""Candidate and labelled item: so many pairs are compared, some seconds' work."""
LEAST = np.float32(1e-6)
"""Probabilities are drawn in from 0 so far, that no divergence is infinite."""


class Contrastive(OwnStrategy):
    """The candidates whose labelled neighbours are predicted most differently from themselves.

    Contrastive active learning (CAL), Margatina et al. 2021, "Active Learning by Acquiring
    Contrastive Examples": the mean Kullback-Leibler divergence between the predictions of the ten
    nearest labelled items (by cosine) and the candidate's; multi-label, of each label, added up.
    small-text's ContrastiveActiveLearning seeks the neighbours in the pool as well, the candidate
    itself among them, which is not the published method. Without a label it draws at random.

    Where candidates times labelled items are over 250 million, a random part of the candidates is
    looked at: an approximation.
    """

    needs = frozenset({"proba", "embedding"})

    def pick(self, scores: Scores, n: int, rng: np.random.Generator) -> Rows:
        """See divergence."""
        proba, points = scores.arrays["proba"], scores.arrays["embedding"]
        known = unit(scores.labelled.get("embedding", points[:0]))
        m = len(points)
        if not len(known):
            return rng.choice(m, n, replace=False)
        size = min(m, max(n, PAIRS // len(known)))
        looked_at = np.sort(rng.choice(m, size, replace=False)) if size < m else np.arange(m)
        told = answers(scores.labelled["proba"], scores.multi)
        worth = np.empty(size, np.float32)
        for part in parts(size, len(known)):
            rows = looked_at[part]
            near = _nearest(unit(points[rows]) @ known.T)
            worth[part] = _divergence(near, told, answers(proba[rows], scores.multi))
        return looked_at[highest(worth, n, rng)]


def answers(proba: NDArray[Any], multi: bool) -> Floats:
    """Probability of each answer, (n, a): each class, or each label's yes and each label's no."""
    each = np.concatenate([proba, 1 - proba], axis=1) if multi else proba
    return np.asarray(np.maximum(each, LEAST), np.float32)


def _nearest(likeness: Floats) -> Floats:
    """Weight of each labelled item as a neighbour, (n, l): rows sum to 1."""
    k = min(NEIGHBOURS, likeness.shape[1])
    bar = np.partition(likeness, -k, axis=1)[:, -k, None]
    near = np.asarray(likeness >= bar, np.float32)
    near /= near.sum(axis=1, keepdims=True)
    return near


def _divergence(near: Floats, told: Floats, own: Floats) -> Floats:
    """Mean divergence (n,) of the neighbours' answers (l, a) from the candidates' own (n, a)."""
    certainty = (told * np.log(told)).sum(axis=1)
    found: Floats = near @ certainty - ((near @ told) * np.log(own)).sum(axis=1)
    return found
