"""From feature rows to the numbers that a linear model is fitted to, and to its scores."""

from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from biasloop.plugins.classifiers.terms.term_rows import TermRows

SHARES = np.array([1.0, 1.0, 0.11, 0.24, 0.31], np.float32)
POWERS = np.array([1.0, 1.0, 0.5, 0.5, 0.5], np.float32)
"""A block's terms are weighted by SHARE / length**POWER: all sentences have as much to say in
n-grams, but one that names more people has more to say of people. Both chosen out of fold on the
Italian seeds. What the reader found has a block of its own as well, so that the words of a long
sentence do not drown it."""
CHUNK = 8192
"""Rows that are scored at a time."""


class Weighting(Protocol):
    """Fitted to training rows alone, so that no fold learns from what it is tried on."""

    @classmethod
    def fit(cls, features: Any) -> Self:
        """From the training rows."""

    def matrix(self, features: Any) -> Any:
        """What the linear model is fitted to, shape (n, d)."""

    def scores(self, features: Any, coef: NDArray[np.float32]) -> NDArray[np.float32]:
        """matrix(features) @ coef, shape (n, k); `coef` is (d, k)."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What to save, by the names of its fields."""


@dataclass(frozen=True, slots=True)
class TermWeighting:
    """TF-IDF of presence; each block of a row weighs what SHARES and POWERS give it.

    `idf` is (d,); a term that the fitted rows lack weighs 0 and adds nothing to a row's length.
    """

    idf: NDArray[np.float32]

    @classmethod
    def fit(cls, features: TermRows) -> Self:
        """From the document frequencies of these rows."""
        terms = features.indices[int(features.ends[0]) : int(features.ends[-1])]
        return cls.of_counts(np.bincount(terms, minlength=features.width), len(features))

    @classmethod
    def of_counts(cls, found: NDArray[np.int64], rows: int) -> Self:
        """From the number of rows, of so many, in which each term stands."""
        idf = np.log((1 + rows) / (1 + found)) + 1
        return cls(np.where(found > 0, idf, 0).astype(np.float32))

    def matrix(self, features: TermRows) -> sparse.csr_matrix:
        """Weighted rows (n, d)."""
        presence = features.presence()
        length = np.sqrt(presence @ self.idf**2)
        powers, shares = (np.resize(x[: features.blocks], len(length)) for x in (POWERS, SHARES))
        scale = _inverse(length) ** powers * shares
        data = self.idf[presence.indices] * np.repeat(scale, np.diff(presence.indptr))
        known = data != 0
        ends = np.concatenate([[0], known.cumsum()])[presence.indptr[:: features.blocks]]
        return sparse.csr_matrix(
            (data[known], presence.indices[known], ends), shape=(len(features), features.width)
        )

    def scores(self, features: TermRows, coef: NDArray[np.float32]) -> NDArray[np.float32]:
        """The scores and the rows' lengths in one sum over each row's terms."""
        n, k = len(features), coef.shape[1]
        # A row of a multiple of four numbers is summed faster than a shorter one.
        weights = np.zeros((len(self.idf), (k + 4) // 4 * 4), np.float32)
        np.multiply(self.idf[:, None], coef, out=weights[:, :k])
        weights[:, k] = self.idf**2
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
    """Dense rows, each column moved and stretched to mean 0 and deviation 1; both (d,)."""

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
        """Without making the scaled rows."""
        scaled = coef / self.deviation[:, None]
        return np.asarray(features @ scaled - self.mean @ scaled, dtype=np.float32)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """See Weighting."""
        return {"mean": self.mean, "deviation": self.deviation}


def weighting_of(features: Any) -> type[Weighting]:
    """The kind that fits these features."""
    return TermWeighting if isinstance(features, TermRows) else Scaling


def _inverse(length: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.divide(1, length, out=np.zeros_like(length), where=length > 0)
