"""What our own strategies have in common. small-text knows them as query strategies too."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Rows
from biasloop.domain.learning import Scores
from biasloop.plugins.strategies.small_text import SmallText

Floats = NDArray[np.float32]

PART, CELLS = 8192, 8_000_000
"""Rows that are worked on at a time, and numbers made of them (32 MB)."""


class OwnStrategy(SmallText):
    """A strategy of our own, where small-text has none or its own is wrong or slow."""

    @abstractmethod
    def pick(self, scores: Scores, n: int, rng: np.random.Generator) -> Rows:
        """n distinct positions among the m candidates, n < m."""

    def query_strategy(self, scores: Scores, rng: np.random.Generator) -> Any:
        """Itself, on small-text's interface."""
        from biasloop.plugins.strategies.query import OwnQuery

        return OwnQuery(self.needs, self.pick, scores.thresholds, rng)


class Ranking(OwnStrategy):
    """Picks what is worth most."""

    @abstractmethod
    def worth(self, scores: Scores) -> Floats:
        """How much it is worth to ask about each candidate, (m,)."""

    def pick(self, scores: Scores, n: int, rng: np.random.Generator) -> Rows:
        """The n of most worth; which of those that tie for the last places, is drawn."""
        return highest(self.worth(scores), n, rng)


def highest(worth: Floats, n: int, rng: np.random.Generator) -> Rows:
    """Positions of the n highest values; which of those that tie for the last places, is drawn."""
    bar = np.partition(worth, len(worth) - n)[len(worth) - n]
    above = np.flatnonzero(worth > bar)
    tied = np.flatnonzero(worth == bar)
    return np.concatenate([above, rng.choice(tied, n - len(above), replace=False)])


def drawn_by_rank(worth: Floats, n: int, power: float, rng: np.random.Generator) -> Rows:
    """n positions drawn with chances that fall as 1 / rank ** power; equal values rank by chance.

    Draws without replacement by adding Gumbel noise to the logarithms (Kool et al. 2019).
    """
    order = rng.permutation(len(worth))
    order = order[np.argsort(-worth[order])]
    chance = rng.gumbel(size=len(worth)) - power * np.log(np.arange(1, len(worth) + 1))
    return order[np.argpartition(-chance, n)[:n]]


def unit(rows: NDArray[Any]) -> Floats:
    """Rows (n, e) scaled to length 1; zeros stay."""
    rows = np.asarray(rows, dtype=np.float32)
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    scaled: Floats = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return scaled


def parts(m: int, width: int = 1) -> Iterator[slice]:
    """0 … m-1 in slices, so that a million rows need no second copy and stay in the cache; `width`
    is how many numbers are made of a row."""
    size = max(1, min(PART, CELLS // max(1, width)))
    for start in range(0, m, size):
        yield slice(start, min(start + size, m))
