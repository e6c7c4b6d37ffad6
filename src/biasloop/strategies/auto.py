"""The strategy that fits the scheme."""

import numpy as np

from biasloop.domain.batch import Rows
from biasloop.ports import Scores
from biasloop.strategies.own import Own
from biasloop.strategies.uncertainty import BreakingTies, MarginToBorder


class Auto(Own):
    """breaking_ties in single-label schemes, margin_to_border in multi-label ones."""

    def pick(self, scores: Scores, n: int, rng: np.random.Generator) -> Rows:
        """The one of the two that fits."""
        fitting = MarginToBorder() if scores.multi else BreakingTies()
        return fitting.pick(scores, n, rng)
