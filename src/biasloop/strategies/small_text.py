"""small-text's query strategies over stored scores.

small-text asks a classifier for probabilities at query time; here they were computed by the score
step, so the classifier only looks rows up (R10).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import small_text
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from biasloop.domain.batch import Rows
from biasloop.errors import ConfigError
from biasloop.ports import Scores


class StoredScores:
    """A small-text classifier that answers from the score files; its data set is row numbers."""

    def __init__(self, scores: Scores) -> None:
        self.scores = scores

    def predict_proba(self, dataset: NDArray[np.int64]) -> NDArray[np.float32]:
        """Stored probabilities of these rows, shape (n, k)."""
        found: NDArray[np.float32] = self.scores.arrays["proba"][dataset]
        return found


@contextmanager
def numpy_seed(seed: int) -> Iterator[None]:
    """small-text draws from numpy's global state: seed it, and put it back afterwards."""
    state = np.random.get_state()
    np.random.seed(seed % 2**32)
    try:
        yield
    finally:
        np.random.set_state(state)


class SmallText:
    """Runs one small-text QueryStrategy; subclasses say which one."""

    needs: frozenset[str] = frozenset({"proba"})

    def query_strategy(self, scores: Scores) -> Any:
        """The small_text.QueryStrategy to run."""
        raise NotImplementedError

    def choose(self, scores: Scores, n: int, seed: int) -> Rows:
        """n of the m candidates, sorted."""
        size = len(next(iter(scores.arrays.values())))
        rows = np.arange(size)
        nothing = np.empty(0, dtype=np.int64)
        k = len(scores.thresholds)
        labelled = csr_matrix((0, k), dtype=np.int8) if scores.multi else nothing
        with numpy_seed(seed):
            chosen = self.query_strategy(scores).query(
                StoredScores(scores), rows, rows, nothing, labelled, n=n
            )
        return np.sort(np.asarray(chosen, dtype=np.int64))


class Random(SmallText):
    """small-text's RandomSampling."""

    def query_strategy(self, scores: Scores) -> Any:
        """Looks at nothing but the number of candidates."""
        return small_text.RandomSampling()


class BreakingTies(SmallText):
    """small-text's BreakingTies: the smallest gap between the two likeliest classes.

    Luo et al. 2005, "Active learning to recognize multiple types of plankton". Single-label only:
    in multi-label schemes it does worse than random.
    """

    def query_strategy(self, scores: Scores) -> Any:
        """Raises ConfigError in a multi-label scheme."""
        if scores.multi:
            raise ConfigError(
                "strategy breaking_ties is for single-label schemes; "
                "set strategy.name to margin_to_border or auto"
            )
        return small_text.BreakingTies()
