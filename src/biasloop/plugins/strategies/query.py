"""Our own strategies on small-text's interface. Loads small-text: imported only to choose."""

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
"""Stochastic passes asked of a classifier that makes them on demand."""


class OwnQuery(QueryStrategy):  # type: ignore[misc]
    """Asks any small-text classifier for what a strategy needs, and lets it pick."""

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
            _likeness(clf, dataset, np.concatenate([indices_unlabeled, indices_labeled])),
        )
        return indices_unlabeled[self.pick(scores, n, self.rng)]

    def _scores(self, clf: Any, dataset: Any) -> dict[str, NDArray[Any]]:
        ask = {
            "proba": lambda: clf.predict_proba(dataset),
            "passes": lambda: clf.predict_proba(dataset, dropout_sampling=PASSES),
            "embedding": lambda: clf.embed(dataset, pbar=None),
        }
        return {name: ask[name]() for name in sorted(self.needs)}


def _likeness(clf: Any, dataset: Any, places: Rows) -> Similarity | None:
    """That of the stored scores; of another classifier, by its embeddings if it makes any."""
    if isinstance(clf, StoredScores):
        stored = clf.scores.similarity
        return stored and (lambda some, others: stored(places[some], places[others]))
    if not hasattr(clf, "embed"):
        return None

    def embedded(rows: Rows) -> NDArray[np.float32]:
        return np.asarray(normalize(clf.embed(dataset[places[rows]], pbar=None)))

    return lambda some, others: embedded(some) @ embedded(others).T
