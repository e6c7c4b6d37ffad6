"""Feature rows of two halves, the terms of a text and its states, and their weighting."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from biasloop.plugins.classifiers.terms.term_rows import TermRows
from biasloop.plugins.classifiers.terms.weighting import CHUNK, TermWeighting

TERM_SHARE = np.float32(0.5)
"""Words and characters have length 1 each, so this makes half of the squared length of a row."""
STATE_SHARE = np.float32(np.sqrt(0.5))
"""States have length 1; this is the other half."""


@dataclass(frozen=True, slots=True)
class MixedRows:
    """n rows; `states` is (n, e), of length 1 each."""

    terms: TermRows
    states: NDArray[np.float16]

    def __len__(self) -> int:
        return len(self.states)

    def __getitem__(self, rows: Any) -> "MixedRows":
        """The rows of a slice (which copies nothing), of row numbers or of a mask."""
        return MixedRows(self.terms[rows], self.states[rows])


@dataclass(frozen=True, slots=True)
class MixedWeighting:
    """TF-IDF of the terms next to the states, each half of the squared length of a row (see
    terms.weighting for the terms). `term_idf` is (d,), for d terms."""

    term_idf: NDArray[np.float32]

    @classmethod
    def fit(cls, features: MixedRows) -> Self:
        """From the document frequencies of these rows."""
        return cls(TermWeighting.fit(features.terms).idf)

    def matrix(self, features: MixedRows) -> sparse.csr_matrix:
        """Weighted rows (n, d + e)."""
        terms = TermWeighting(self.term_idf).matrix(features.terms) * TERM_SHARE
        states = sparse.csr_matrix(features.states.astype(np.float32) * STATE_SHARE)
        return sparse.hstack([terms, states], format="csr")

    def scores(self, features: MixedRows, coef: NDArray[np.float32]) -> NDArray[np.float32]:
        """matrix(features) @ coef, shape (n, k), computed without making the rows."""
        terms = len(self.term_idf)
        of_terms, of_states = coef[:terms] * TERM_SHARE, coef[terms:] * STATE_SHARE
        scores = TermWeighting(self.term_idf).scores(features.terms, of_terms)
        for start in range(0, len(features), CHUNK):
            states = features.states[start : start + CHUNK].astype(np.float32)
            scores[start : start + CHUNK] += states @ of_states
        return scores

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The array to save, by the name of its field."""
        return {"term_idf": self.term_idf}
