"""Strategies made of another one."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import Field

from biasloop.domain.batch import Rows
from biasloop.domain.learning import Scores
from biasloop.errors import ConfigError
from biasloop.plugins.registry import Kind, Options, create
from biasloop.plugins.strategies.kmeans import EmbeddingKMeans
from biasloop.plugins.strategies.own import OwnStrategy, Ranking, drawn_by_rank
from biasloop.ports import Strategy


class InnerOptions(Options):
    """`of` is the strategy inside, `options` are its options."""

    of: str
    options: Mapping[str, Any] = {}

    def make(self) -> Strategy:
        """The strategy inside. Raises UnknownName or ConfigError."""
        inner: Strategy = create(Kind.STRATEGY, self.of, self.options)
        return inner


class SubsampleOptions(InnerOptions):
    """`size` candidates are drawn at random for the strategy inside."""

    of: str = "auto"
    size: int = Field(4096, ge=1)


class Subsample:
    """Draws candidates at random and lets another strategy choose among these.

    Cheap on big pools, and spreads a batch. small-text's SubsamplingQueryStrategy fails where a
    batch is larger than the sample; here the sample grows.
    """

    def __init__(self, options: SubsampleOptions) -> None:
        self.inner = options.make()
        self.size = options.size
        self.needs = self.inner.needs

    def choose(self, scores: Scores, n: int, seed: int) -> Rows:
        """See Strategy."""
        m = len(next(iter(scores.arrays.values())))
        rng = np.random.default_rng(seed)
        drawn = np.sort(rng.choice(m, min(m, max(n, self.size)), replace=False))
        return drawn[self.inner.choose(scores.for_candidates(drawn), n, seed)]


class SoftRankOptions(InnerOptions):
    """`of` must rank the items one by one; `power` is how steeply chances fall with the rank."""

    of: str = "rarity"
    power: float = Field(2, gt=0)


class SoftRank(OwnStrategy):
    """Draws from another strategy's ranking, with chances that fall as 1 / rank ** power.

    Softrank acquisition of Kirsch et al. 2023, "Stochastic Batch Acquisition: A Simple Baseline for
    Deep Active Learning": the first n of a ranking are often alike, the more so the less the model
    knows.
    """

    def __init__(self, options: SoftRankOptions) -> None:
        inner = options.make()
        if not isinstance(inner, Ranking):
            raise ConfigError(
                f"strategy softrank draws from a ranking, and {options.of} does not rank the items "
                "one by one; set strategy.options.of to one that does, such as rarity or entropy"
            )
        self.inner = inner
        self.power = options.power
        self.needs = inner.needs

    def pick(self, scores: Scores, n: int, rng: np.random.Generator) -> Rows:
        """See own.drawn_by_rank."""
        return drawn_by_rank(self.inner.worth(scores), n, self.power, rng)


class ClusterDiverseOptions(InnerOptions):
    """The strategy inside chooses `factor` times too many."""

    of: str = "auto"
    factor: int = Field(10, ge=2)


class ClusterDiverse:
    """Lets another strategy choose too many, and takes one from each of n clusters of these.

    Diverse mini-batches, Zhdanov 2019, "Diverse mini-batch Active Learning", with clusters that do
    not weigh how informative an item is.
    """

    def __init__(self, options: ClusterDiverseOptions) -> None:
        self.inner = options.make()
        self.factor = options.factor
        self.spread = EmbeddingKMeans()
        self.needs = self.inner.needs | self.spread.needs

    def choose(self, scores: Scores, n: int, seed: int) -> Rows:
        """See Strategy."""
        m = len(next(iter(scores.arrays.values())))
        many = self.inner.choose(scores, min(m, self.factor * n), seed)
        return many[self.spread.choose(scores.for_candidates(many), n, seed)]
