"""The strategy that fits the scheme."""

from typing import Any

import small_text

from biasloop.ports import Scores
from biasloop.strategies.multi_label import BorderMargin
from biasloop.strategies.small_text import SmallText


class Auto(SmallText):
    """breaking_ties in single-label schemes, margin_to_border in multi-label ones."""

    def query_strategy(self, scores: Scores) -> Any:
        """The one of the two that fits."""
        return BorderMargin(scores.thresholds) if scores.multi else small_text.BreakingTies()
