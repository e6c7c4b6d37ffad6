"""The strategy that fits the scheme. docs/strategies.md has the evidence."""

import numpy as np

from biasloop.domain.batch import Rows
from biasloop.ports import Scores
from biasloop.strategies.own import Own, drawn_by_rank
from biasloop.strategies.uncertainty import BreakingTies, Rarity

POWER = 2
"""As softrank draws."""


class Auto(Own):
    """breaking_ties in single-label schemes, softrank of rarity in multi-label ones."""

    def pick(self, scores: Scores, n: int, rng: np.random.Generator) -> Rows:
        """The one of the two that fits."""
        if not scores.multi:
            return BreakingTies().pick(scores, n, rng)
        return drawn_by_rank(Rarity().worth(scores), n, POWER, rng)
