"""Our own strategies behind small-text's interface. Slow to load: import it only to choose."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.preprocessing import normalize
from small_text import QueryStrategy

from biasloop.domain.batch import Rows
from biasloop.domain.learning import Scores, Similarity
from biasloop.plugins.strategies.small_text import StoredScores

Pick = Callable[[Scores, int, np.random.Generator], Rows]

PASSES = 10
"""Stochastic passes requested from a classifier that computes them on demand."""


class OwnQuery(QueryStrategy):  # type: ignore[misc]
    """Gets what a strategy needs from any small-text classifier, and lets the strategy pick."""

    def __init__(
        self,
        needs: frozenset[str],
        pick: Pick,
        thresholds: NDArray[np.float32],
        rng: np.random.Generator,
    ) -> None:
        self.needs = needs
        self.pick = pick
        self.thresholds = thresholds
        self.rng = rng

    def query(
        self,
        clf: Any,
        dataset: Any,
        indices_unlabeled: Rows,
        indices_labeled: Rows,
        y: Any,
        n: int = 10,
    ) -> Rows:
        """See small_text.QueryStrategy."""
        self._validate_query_input(indices_unlabeled, n)
        if n == len(indices_unlabeled):
            return indices_unlabeled
        multi = issparse(y)
        scores = Scores(
            self._scores(clf, dataset[indices_unlabeled]),
            self.thresholds,
            multi,
            self._scores(clf, dataset[indices_labeled]) if len(indices_labeled) else {},
            y.toarray() if multi else np.eye(len(self.thresholds), dtype=np.int8)[y],
            _similarity(clf, dataset, np.concatenate([indices_unlabeled, indices_labeled])),
        )
        return indices_unlabeled[self.pick(scores, n, self.rng)]

    def _scores(self, clf: Any, dataset: Any) -> dict[str, NDArray[Any]]:
        compute = {
            "proba": lambda: clf.predict_proba(dataset),
            "passes": lambda: clf.predict_proba(dataset, dropout_sampling=PASSES),
            "embedding": lambda: clf.embed(dataset, pbar=None),
        }
        return {name: compute[name]() for name in sorted(self.needs)}


def _similarity(clf: Any, dataset: Any, rows: Rows) -> Similarity | None:
    """The similarity in the stored scores; for another classifier the cosine of its embeddings,
    None if it has none. `rows` are the data set's rows: candidates, then labelled items."""
    if isinstance(clf, StoredScores):
        stored = clf.scores.similarity
        return stored and (lambda some, others: stored(rows[some], rows[others]))
    if not hasattr(clf, "embed"):
        return None

    def unit_embeddings(positions: Rows) -> NDArray[np.float32]:
        return np.asarray(normalize(clf.embed(dataset[rows[positions]], pbar=None)))

    return lambda some, others: unit_embeddings(some) @ unit_embeddings(others).T
