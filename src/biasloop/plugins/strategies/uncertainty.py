"""Strategies that ask about what the model is least sure of."""

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.learning import Scores
from biasloop.errors import ConfigError
from biasloop.plugins.strategies.own import Floats, Ranking, parts

TINY = np.float32(1e-30)


class BreakingTies(Ranking):
    """The smallest gap between the two likeliest classes.

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
    """The most entropy: of the classes, or in multi-label schemes of every label, added up.

    Shannon 1948; for multi-label pools Brinker 2006. Single-label it picks what small-text's
    PredictionEntropy picks, without its Python loop; that one is wrong for multi-label schemes,
    where rows do not sum to 1.
    """

    def worth(self, scores: Scores) -> Floats:
        """In nats."""
        return entropy(scores.arrays["proba"], scores.multi)


class MarginToBorder(Ranking):
    """The items with some label nearest to its decision border.

    The multi-label kin of margin sampling: the minimum over labels of the distance to the border
    (BinMin, Brinker 2006, "On active learning in multi-label classification"), with each label's
    own threshold as the border.
    """

    def worth(self, scores: Scores) -> Floats:
        """Works in both kinds of scheme; meant for multi-label."""
        nearest: Floats = border_distance(scores.arrays["proba"], scores.thresholds).min(axis=1)
        return -nearest


class Rarity(Ranking):
    """The most entropy, where a label counts the more, the fewer of its positives are known.

    Binary entropies of the labels, each weighted by 1 / (1 + positives among the labelled items):
    a sum, so that items in doubt about several labels come first. Found by measurement, see
    docs/strategies.md.
    """

    def worth(self, scores: Scores) -> Floats:
        """Works in both kinds of scheme; meant for multi-label."""
        proba = scores.arrays["proba"]
        known = 0 if scores.labels is None else (scores.labels == 1).sum(axis=0)
        weight = (1 / (1 + np.broadcast_to(known, proba.shape[1]))).astype(np.float32)
        entropies = -(_p_log_p(proba) + _p_log_p(1 - proba))
        return np.asarray(entropies @ weight, np.float32)


class Bald(Ranking):
    """What the members of a committee, or passes with dropout, disagree about most.

    The mutual information between the answer and the model: Houlsby et al. 2011, "Bayesian Active
    Learning for Classification and Preference Learning"; Gal et al. 2017 for dropout. In
    multi-label schemes added up over labels (small-text's BALD leaves out the noes there).
    """

    needs = frozenset({"passes"})

    def worth(self, scores: Scores) -> Floats:
        """In nats."""
        passes, multi = scores.arrays["passes"], scores.multi
        found = np.empty(len(passes), np.float32)
        for part in parts(len(passes)):
            each = passes[part]
            found[part] = entropy(each.mean(axis=1), multi) - entropy(each, multi).mean(axis=1)
        return found


def entropy(proba: NDArray[np.float32], multi: bool) -> Floats:
    """Entropy over the last axis, in nats: (…, k) to (…). Multi-label: the labels' sum."""
    terms = _p_log_p(proba)
    if multi:
        terms += _p_log_p(1 - proba)
    found: Floats = -(terms @ np.ones(terms.shape[-1], np.float32))  # faster than sum(axis=-1)
    return found


def _p_log_p(proba: NDArray[np.float32]) -> Floats:
    found: Floats = np.log(np.maximum(proba, TINY))
    found *= proba
    return found


def border_distance(
    proba: NDArray[np.float32], thresholds: NDArray[np.float32]
) -> NDArray[np.float32]:
    """How far each probability is from its label's decision border, shape (n, k), in [0, 1].

    Measured in the room there is on its side of the threshold, so that a label with a threshold
    of 0.1 is not always "near".
    """
    t = np.clip(thresholds, 1e-6, 1 - 1e-6)
    return np.where(proba < t, (t - proba) / t, (proba - t) / (1 - t)).astype(np.float32)
