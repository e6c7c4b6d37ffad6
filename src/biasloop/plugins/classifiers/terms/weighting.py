"""Weights feature rows for a linear model, and computes its scores."""

from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from biasloop.plugins.classifiers.terms.term_rows import TermRows

SHARES = np.array([1.0, 1.0, 0.11, 0.24, 0.31], np.float32)
POWERS = np.array([1.0, 1.0, 0.5, 0.5, 0.5], np.float32)
"""The terms of block b are weighted by SHARES[b] / length**POWERS[b], where the length is that of
the block's row: n-grams weigh the same in all sentences, but terms about people weigh more in
sentences that mention more people. Both were chosen out of fold on the Italian seeds. The reader's
terms have a block of their own, so that the words of a long sentence do not outweigh them."""
CHUNK = 8192
"""The number of rows that are scored at a time."""


class Weighting(Protocol):
    """Fitted to training rows only, so that no fold learns from the rows it is tested on."""

    @classmethod
    def fit(cls, features: Any) -> Self:
        """From the training rows."""

    def matrix(self, features: Any) -> Any:
        """The weighted rows (n, d) that the linear model is fitted to."""

    def scores(self, features: Any, coef: NDArray[np.float32]) -> NDArray[np.float32]:
        """matrix(features) @ coef, shape (n, k); `coef` is (d, k)."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays to save, by the names of the fields."""


@dataclass(frozen=True, slots=True)
class TermWeighting:
    """TF-IDF of presence, with each block weighted by SHARES and POWERS.

    `idf` is (d,); it is 0 for terms that occur in none of the fitted rows, which then do not count
    for the length of a row either.
    """

    idf: NDArray[np.float32]

    @classmethod
    def fit(cls, features: TermRows) -> Self:
        """From the document frequencies of these rows."""
        terms = features.indices[int(features.ends[0]) : int(features.ends[-1])]
        return cls.from_counts(np.bincount(terms, minlength=features.width), len(features))

    @classmethod
    def from_counts(cls, document_counts: NDArray[np.int64], rows: int) -> Self:
        """From the number of rows, out of `rows`, in which each of the d terms occurs."""
        idf = np.log((1 + rows) / (1 + document_counts)) + 1
        return cls(np.where(document_counts > 0, idf, 0).astype(np.float32))

    def matrix(self, features: TermRows) -> sparse.csr_matrix:
        """Weighted rows (n, d)."""
        presence = features.presence()
        length = np.sqrt(presence @ self.idf**2)
        powers, shares = (np.resize(x[: features.blocks], len(length)) for x in (POWERS, SHARES))
        scale = _inverse(length) ** powers * shares
        data = self.idf[presence.indices] * np.repeat(scale, np.diff(presence.indptr))
        nonzero = data != 0
        ends = np.concatenate([[0], nonzero.cumsum()])[presence.indptr[:: features.blocks]]
        return sparse.csr_matrix(
            (data[nonzero], presence.indices[nonzero], ends), shape=(len(features), features.width)
        )

    def scores(self, features: TermRows, coef: NDArray[np.float32]) -> NDArray[np.float32]:
        """See Weighting. One sum over the terms of a row gives its scores and its length."""
        n, k, idf = len(features), coef.shape[1], self.idf
        if features.ends[-1] - features.ends[0] < len(idf):  # few rows: most terms occur in none
            features, columns = features.compact()
            idf, coef = idf[columns], coef[columns]
        # Rows are summed faster when their length is a multiple of four.
        weights = np.zeros((len(idf), (k + 4) // 4 * 4), np.float32)
        np.multiply(idf[:, None], coef, out=weights[:, :k])
        weights[:, k] = idf**2
        shares, powers = SHARES[: features.blocks], POWERS[: features.blocks]
        scores, ones = np.empty((n, k), np.float32), np.ones(0, np.float32)
        for start in range(0, n, CHUNK):
            part = features[start : start + CHUNK]
            presence = part.presence(ones)
            ones = presence.data if len(presence.data) > len(ones) else ones
            sums = (presence @ weights).reshape(len(part), features.blocks, -1)
            scale = _inverse(np.sqrt(sums[:, :, k])) ** powers * shares
            scores[start : start + CHUNK] = sum(
                sums[:, b, :k] * scale[:, b, None] for b in range(features.blocks)
            )
        return scores

    def arrays(self) -> dict[str, NDArray[Any]]:
        """See Weighting."""
        return {"idf": self.idf}


@dataclass(frozen=True, slots=True)
class Scaling:
    """Standardises the columns of dense rows; mean and standard deviation have shape (d,)."""

    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]

    @classmethod
    def fit(cls, features: NDArray[np.float32]) -> Self:
        """From the columns of these rows."""
        deviation = features.std(axis=0)
        return cls(features.mean(axis=0), np.where(deviation > 0, deviation, 1))

    def matrix(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scaled rows (n, d)."""
        return (features - self.mean) / self.deviation

    def scores(
        self, features: NDArray[np.float32], coef: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """See Weighting; computed without making the scaled rows."""
        scaled = coef / self.deviation[:, None]
        return np.asarray(features @ scaled - self.mean @ scaled, dtype=np.float32)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """See Weighting."""
        return {"mean": self.mean, "deviation": self.deviation}


def _inverse(length: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.divide(1, length, out=np.zeros_like(length), where=length > 0)
