"""small-text's query strategies over stored scores.

small-text asks a classifier for probabilities at query time; here they were computed by the score
step, so the classifier only looks rows up (R10). small-text loads torch, which takes seconds, so
it is imported when something is chosen, not before.
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

    Its data set is row numbers: 0 … m-1 are the candidates, m … m+l-1 the labelled items.
    """

    def __init__(self, scores: Scores) -> None:
        self.scores = scores

    def predict_proba(self, dataset: Rows, dropout_sampling: int = 1) -> NDArray[Any]:
        """Stored probabilities of these rows, (n, k); if asked for several, the stored passes,
        (n, p, k), however many there are."""
        return self._rows("passes" if dropout_sampling > 1 else "proba", dataset)

    def embed(self, dataset: Rows, return_proba: bool = False, pbar: object = None) -> Any:
        """Stored embeddings of these rows, (n, e); with `return_proba` (embeddings, proba)."""
        found = self._rows("embedding", dataset)
        return (found, self._rows("proba", dataset)) if return_proba else found

    def _rows(self, name: str, rows: Rows) -> NDArray[Any]:
        """Rows that follow one another on one side come as a view: a million embeddings are not
        copied."""
        pool, labelled = self.scores.arrays[name], self.scores.labelled.get(name)
        m = len(pool)
        if len(rows) == 0:
            return pool[:0]
        first, last = int(rows[0]), int(rows[-1])
        run = last - first == len(rows) - 1 and bool(np.all(np.diff(rows) == 1))
        if run and last < m:
            return pool[first : last + 1]
        if labelled is None:
            return pool[rows]
        if run and first >= m:
            return labelled[first - m : last + 1 - m]
        found = np.empty((len(rows), *pool.shape[1:]), pool.dtype)
        found[rows < m] = pool[rows[rows < m]]
        found[rows >= m] = labelled[rows[rows >= m] - m]
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


class SmallText(ABC):
    """Runs one small-text QueryStrategy; subclasses say which one."""

    needs: frozenset[str] = frozenset({"proba"})

    @abstractmethod
    def query_strategy(self, scores: Scores, rng: np.random.Generator) -> Any:
        """The small_text.QueryStrategy to run; what it draws besides numpy's global state, it
        draws from `rng`."""

    def choose(self, scores: Scores, n: int, seed: int) -> Rows:
        """n of the m candidates, sorted."""
        m = len(next(iter(scores.arrays.values())))
        labels = scores.labels
        if labels is None:
            labels = np.zeros((0, len(scores.thresholds)), np.int8)
        known = csr_matrix(labels == 1, dtype=np.int8) if scores.multi else labels.argmax(axis=1)
        rows = np.arange(m + len(labels))
        query_strategy = self.query_strategy(scores, np.random.default_rng(seed))
        with numpy_seed(seed):
            chosen = query_strategy.query(
                StoredScores(scores), rows, rows[:m], rows[m:], known, n=n
            )
        return np.sort(np.asarray(chosen, dtype=np.int64))


class Random(SmallText):
    """small-text's RandomSampling."""

    def query_strategy(self, scores: Scores, rng: np.random.Generator) -> Any:
        """Looks at nothing but the number of candidates."""
        from small_text import RandomSampling

        return RandomSampling()
