"""Multi-label strategies that small-text lacks, as query strategies of its kind."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from small_text.query_strategies import ConfidenceBasedQueryStrategy

from biasloop.ports import Scores
from biasloop.strategies.small_text import SmallText


def border_distance(
    proba: NDArray[np.float32], thresholds: NDArray[np.float32]
) -> NDArray[np.float32]:
    """How far each probability is from its label's decision border, shape (n, k), in [0, 1].

    Measured in the room there is on its side of the threshold, so that a label with a threshold
    of 0.1 is not always "near".
    """
    t = np.clip(thresholds, 1e-6, 1 - 1e-6)
    return np.where(proba < t, (t - proba) / t, (proba - t) / (1 - t)).astype(np.float32)


class BorderMargin(ConfidenceBasedQueryStrategy):  # type: ignore[misc]
    """The items with some label nearest to its decision border.

    The multi-label kin of margin sampling: the minimum over labels of the distance to the border
    (BinMin, Brinker 2006, "On active learning in multi-label classification"), with each label's
    own threshold as the border.
    """

    def __init__(self, thresholds: NDArray[np.float32]) -> None:
        super().__init__(lower_is_better=True)
        self.thresholds = thresholds

    def get_confidence(
        self, clf: Any, dataset: Any, _unlabeled: Any, _labeled: Any, _y: Any
    ) -> NDArray[np.float32]:
        """Distance to the nearest border, shape (n,); small means unsure."""
        nearest: NDArray[np.float32] = border_distance(
            clf.predict_proba(dataset), self.thresholds
        ).min(axis=1)
        return nearest


class MarginToBorder(SmallText):
    """BorderMargin as a plug-in."""

    def query_strategy(self, scores: Scores) -> Any:
        """Works in both kinds of scheme; meant for multi-label."""
        return BorderMargin(scores.thresholds)
