"""The common part of biasloop's own strategies; each is also a query strategy of small-text."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Rows
from biasloop.domain.learning import Scores
from biasloop.plugins.strategies.small_text import SmallText

Floats = NDArray[np.float32]

CHUNK_ROWS, CHUNK_VALUES = 8192, 8_000_000
"""Upper limits of a chunk: its rows, and the numbers computed from them (32 MB)."""


class OwnStrategy(SmallText):
    """A strategy of our own, where that of small-text is missing, wrong or slow."""

    @abstractmethod
    def pick(self, scores: Scores, n: int, rng: np.random.Generator) -> Rows:
        """n distinct positions among the m candidates, n < m."""

    def query_strategy(self, scores: Scores, rng: np.random.Generator) -> Any:
        """This strategy behind small-text's interface."""
        from biasloop.plugins.strategies.query import OwnQuery

        return OwnQuery(self.needs, self.pick, scores.thresholds, rng)


class Ranking(OwnStrategy):
    """Picks the candidates that are worth most."""

    @abstractmethod
    def worth(self, scores: Scores) -> Floats:
        """How much a label of each candidate is worth, (m,)."""

    def pick(self, scores: Scores, n: int, rng: np.random.Generator) -> Rows:
        """The n candidates worth most; ties for the last places are broken at random."""
        return highest(self.worth(scores), n, rng)


def highest(worth: Floats, n: int, rng: np.random.Generator) -> Rows:
    """Positions of the n highest values; ties for the last places are broken at random."""
    cutoff = np.partition(worth, len(worth) - n)[len(worth) - n]
    above = np.flatnonzero(worth > cutoff)
    tied = np.flatnonzero(worth == cutoff)
    return np.concatenate([above, rng.choice(tied, n - len(above), replace=False)])


def sample_by_rank(worth: Floats, n: int, power: float, rng: np.random.Generator) -> Rows:
    """n positions, with chances proportional to 1 / rank ** power; ties are broken at random.

    Samples without replacement by adding Gumbel noise to the log chances (Kool et al. 2019).
    """
    order = rng.permutation(len(worth))
    order = order[np.argsort(-worth[order])]
    noisy_chances = rng.gumbel(size=len(worth)) - power * np.log(np.arange(1, len(worth) + 1))
    return order[np.argpartition(-noisy_chances, n)[:n]]


def unit(rows: NDArray[Any]) -> Floats:
    """Rows (n, e) scaled to length 1; rows of zeros stay."""
    rows = np.asarray(rows, dtype=np.float32)
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    scaled: Floats = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return scaled


def chunks(m: int, width: int = 1) -> Iterator[slice]:
    """Slices of 0 … m-1, so small that a million rows need no second copy and stay in the cache;
    `width` is how many numbers are computed from a row."""
    size = max(1, min(CHUNK_ROWS, CHUNK_VALUES // max(1, width)))
    for start in range(0, m, size):
        yield slice(start, min(start + size, m))
