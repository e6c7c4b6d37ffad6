"""The strategy that fits the scheme. docs/strategies.md has the evidence."""

import numpy as np

from biasloop.domain.batch import Rows
from biasloop.domain.learning import Scores
from biasloop.plugins.strategies.fisher import Fisher
from biasloop.plugins.strategies.own import OwnStrategy, sample_by_rank
from biasloop.plugins.strategies.uncertainty import BreakingTies, Rarity

POWER = 2
"""The default of softrank."""


class Auto(OwnStrategy):
    """Softrank of rarity in multi-label schemes; in single-label ones fisher, or breaking_ties for
    a classifier without an encoder."""

    def pick(self, scores: Scores, n: int, rng: np.random.Generator) -> Rows:
        """n distinct positions, picked by the strategy that fits the scheme."""
        if scores.multi:
            return sample_by_rank(Rarity().worth(scores), n, POWER, rng)
        strategy: OwnStrategy = Fisher() if scores.similarity else BreakingTies()
        return strategy.pick(scores, n, rng)
