"""Strategies that pick the items that the model is least sure of."""

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.learning import Scores
from biasloop.errors import ConfigError
from biasloop.plugins.strategies.own import Floats, Ranking, chunks

TINY = np.float32(1e-30)


class BreakingTies(Ranking):
    """The items with the smallest gap between the two most likely classes.

    Luo et al. 2005, "Active learning to recognize multiple types of plankton". Single-label only:
    in multi-label schemes it does worse than random. Picks what small-text's BreakingTies picks,
    without its Python loop over the items.
    """

    def worth(self, scores: Scores) -> Floats:
        """Raises ConfigError in a multi-label scheme."""
        if scores.multi:
            raise ConfigError(
                "strategy breaking_ties is for single-label schemes; "
                "set strategy.name to rarity or auto"
            )
        proba = scores.arrays["proba"]
        if proba.shape[1] == 1:
            return np.zeros(len(proba), np.float32)
        first_two = np.partition(proba, -2, axis=1)[:, -2:]
        gap: Floats = first_two[:, 1] - first_two[:, 0]
        return -gap


class Entropy(Ranking):
    """The items of highest entropy: over classes, or in multi-label schemes summed over labels.

    Shannon 1948; for multi-label pools Brinker 2006. In single-label schemes it picks what
    small-text's PredictionEntropy picks, without its Python loop; PredictionEntropy is wrong in
    multi-label schemes, where rows do not sum to 1.
    """

    def worth(self, scores: Scores) -> Floats:
        """In nats."""
        return entropy(scores.arrays["proba"], scores.multi)


class MarginToBorder(Ranking):
    """The items with some label nearest to its decision border.

    Margin sampling for multi-label schemes: the minimum over labels of the distance to the border
    (BinMin, Brinker 2006, "On active learning in multi-label classification"), with each label's
    own threshold as the border.
    """

    def worth(self, scores: Scores) -> Floats:
        """Works in both kinds of scheme; meant for multi-label."""
        nearest: Floats = border_distance(scores.arrays["proba"], scores.thresholds).min(axis=1)
        return -nearest


class Rarity(Ranking):
    """The items of highest entropy, where labels with few labelled positives count more.

    Binary entropies of the labels, each weighted by 1 / (1 + positives among the labelled items):
    a sum, so that items with several uncertain labels come first. Chosen by measurement, see
    docs/strategies.md.
    """

    def worth(self, scores: Scores) -> Floats:
        """Works in both kinds of scheme; meant for multi-label."""
        proba = scores.arrays["proba"]
        positives = 0 if scores.labels is None else (scores.labels == 1).sum(axis=0)
        weight = (1 / (1 + np.broadcast_to(positives, proba.shape[1]))).astype(np.float32)
        entropies = -(_p_log_p(proba) + _p_log_p(1 - proba))
        return np.asarray(entropies @ weight, np.float32)


class Bald(Ranking):
    """The items that the members of a committee, or passes with dropout, disagree about most.

    The mutual information between the answer and the model: Houlsby et al. 2011, "Bayesian Active
    Learning for Classification and Preference Learning"; Gal et al. 2017 for dropout. In
    multi-label schemes summed over labels (where small-text's BALD ignores the "no" answers).
    """

    needs = frozenset({"passes"})

    def worth(self, scores: Scores) -> Floats:
        """In nats."""
        passes, multi = scores.arrays["passes"], scores.multi
        worth = np.empty(len(passes), np.float32)
        for rows in chunks(len(passes)):
            proba = passes[rows]
            worth[rows] = entropy(proba.mean(axis=1), multi) - entropy(proba, multi).mean(axis=1)
        return worth


def entropy(proba: NDArray[np.float32], multi: bool) -> Floats:
    """Entropy over the last axis, in nats: (…, k) to (…). Multi-label: the sum over labels."""
    terms = _p_log_p(proba)
    if multi:
        terms += _p_log_p(1 - proba)
    total: Floats = -(terms @ np.ones(terms.shape[-1], np.float32))  # faster than sum(axis=-1)
    return total


def _p_log_p(proba: NDArray[np.float32]) -> Floats:
    product: Floats = np.log(np.maximum(proba, TINY))
    product *= proba
    return product


def border_distance(
    proba: NDArray[np.float32], thresholds: NDArray[np.float32]
) -> NDArray[np.float32]:
    """How far each probability is from its label's decision border, shape (n, k), in [0, 1].

    A fraction of the distance between the threshold and the end of the scale on that side, so that
    a label with a threshold of 0.1 is not always "near".
    """
    t = np.clip(thresholds, 1e-6, 1 - 1e-6)
    return np.where(proba < t, (t - proba) / t, (proba - t) / (1 - t)).astype(np.float32)
