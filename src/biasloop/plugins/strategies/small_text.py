"""small-text's query strategies over stored scores.

small-text asks a classifier for probabilities at query time; here they were computed by the score
step, so the classifier only looks rows up (R10). small-text loads torch, which takes seconds, so
it is imported only when items are chosen.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from biasloop.domain.batch import Rows
from biasloop.domain.learning import Scores


class StoredScores:
    """A small-text classifier that answers from stored scores.

    Its data sets are row numbers: 0 … m-1 are the candidates, m … m+l-1 the labelled items.
    """

    def __init__(self, scores: Scores) -> None:
        self.scores = scores

    def predict_proba(self, dataset: Rows, dropout_sampling: int = 1) -> NDArray[Any]:
        """Stored probabilities of these rows, (n, k); with dropout sampling all stored passes,
        (n, p, k), whatever number was requested."""
        return self._rows("passes" if dropout_sampling > 1 else "proba", dataset)

    def embed(self, dataset: Rows, return_proba: bool = False, pbar: object = None) -> Any:
        """Stored embeddings of these rows, (n, e); with `return_proba` (embeddings, proba)."""
        embeddings = self._rows("embedding", dataset)
        return (embeddings, self._rows("proba", dataset)) if return_proba else embeddings

    def _rows(self, name: str, rows: Rows) -> NDArray[Any]:
        """Consecutive rows of one side (candidates or labelled items) are returned as a view, so
        that a million embeddings are not copied."""
        pool, labelled = self.scores.arrays[name], self.scores.labelled.get(name)
        m = len(pool)
        if len(rows) == 0:
            return pool[:0]
        first, last = int(rows[0]), int(rows[-1])
        consecutive = last - first == len(rows) - 1 and bool(np.all(np.diff(rows) == 1))
        if consecutive and last < m:
            return pool[first : last + 1]
        if labelled is None:
            return pool[rows]
        if consecutive and first >= m:
            return labelled[first - m : last + 1 - m]
        values = np.empty((len(rows), *pool.shape[1:]), pool.dtype)
        values[rows < m] = pool[rows[rows < m]]
        values[rows >= m] = labelled[rows[rows >= m] - m]
        return values


@contextmanager
def numpy_seed(seed: int) -> Iterator[None]:
    """Seeds numpy's global state, which small-text uses, and restores it afterwards."""
    state = np.random.get_state()
    np.random.seed(seed % 2**32)
    try:
        yield
    finally:
        np.random.set_state(state)


class SmallText(ABC):
    """Runs one small-text QueryStrategy; subclasses say which one."""

    needs: frozenset[str] = frozenset({"proba"})

    @abstractmethod
    def query_strategy(self, scores: Scores, rng: np.random.Generator) -> Any:
        """The small_text.QueryStrategy to run; its random choices come from `rng` or from numpy's
        global state."""

    def choose(self, scores: Scores, n: int, seed: int) -> Rows:
        """n of the m candidates, sorted."""
        m = len(next(iter(scores.arrays.values())))
        labels = scores.labels
        if labels is None:
            labels = np.zeros((0, len(scores.thresholds)), np.int8)
        targets = csr_matrix(labels == 1, dtype=np.int8) if scores.multi else labels.argmax(axis=1)
        rows = np.arange(m + len(labels))
        query_strategy = self.query_strategy(scores, np.random.default_rng(seed))
        with numpy_seed(seed):
            chosen = query_strategy.query(
                StoredScores(scores), rows, rows[:m], rows[m:], targets, n=n
            )
        return np.sort(np.asarray(chosen, dtype=np.int64))


class Random(SmallText):
    """small-text's RandomSampling."""

    def query_strategy(self, scores: Scores, rng: np.random.Generator) -> Any:
        """Uses only the number of candidates."""
        from small_text import RandomSampling

        return RandomSampling()
