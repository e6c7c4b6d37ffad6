"""Strategies that wrap another strategy."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import Field

from biasloop.domain.batch import Rows
from biasloop.domain.learning import Scores
from biasloop.errors import ConfigError
from biasloop.plugins.registry import Kind, Options, create
from biasloop.plugins.strategies.kmeans import EmbeddingKMeans
from biasloop.plugins.strategies.own import OwnStrategy, Ranking, sample_by_rank
from biasloop.ports import Strategy


class InnerOptions(Options):
    """`of` names the inner strategy, `options` are its options."""

    of: str
    options: Mapping[str, Any] = {}

    def make(self) -> Strategy:
        """Creates the inner strategy. Raises UnknownName or ConfigError."""
        inner: Strategy = create(Kind.STRATEGY, self.of, self.options)
        return inner


class SubsampleOptions(InnerOptions):
    """The inner strategy sees a random sample of `size` candidates."""

    of: str = "auto"
    size: int = Field(4096, ge=1)


class Subsample:
    """Takes a random sample of the candidates and lets another strategy choose from it.

    Cheap on large pools, and makes a batch more diverse. small-text's SubsamplingQueryStrategy
    fails where a batch is larger than the sample; here the sample grows.
    """

    def __init__(self, options: SubsampleOptions) -> None:
        self.inner = options.make()
        self.size = options.size
        self.needs = self.inner.needs

    def choose(self, scores: Scores, n: int, seed: int) -> Rows:
        """See Strategy."""
        m = len(next(iter(scores.arrays.values())))
        rng = np.random.default_rng(seed)
        sample = np.sort(rng.choice(m, min(m, max(n, self.size)), replace=False))
        return sample[self.inner.choose(scores.for_candidates(sample), n, seed)]


class SoftRankOptions(InnerOptions):
    """`of` must rank the items one by one; `power` says how steeply the chances fall with rank."""

    of: str = "rarity"
    power: float = Field(2, gt=0)


class SoftRank(OwnStrategy):
    """Samples from another strategy's ranking, with chances proportional to 1 / rank ** power.

    Softrank acquisition of Kirsch et al. 2023, "Stochastic Batch Acquisition: A Simple Baseline for
    Deep Active Learning": the first n of a ranking are often alike, especially while the model has
    learned little.
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
        """See own.sample_by_rank."""
        return sample_by_rank(self.inner.worth(scores), n, self.power, rng)


class ClusterDiverseOptions(InnerOptions):
    """The inner strategy chooses `factor` times as many items as the batch needs."""

    of: str = "auto"
    factor: int = Field(10, ge=2)


class ClusterDiverse:
    """Clusters more items than needed, chosen by another strategy, and takes one per cluster.

    Diverse mini-batches, Zhdanov 2019, "Diverse mini-batch Active Learning", but clusters
    are not weighted by how informative an item is.
    """

    def __init__(self, options: ClusterDiverseOptions) -> None:
        self.inner = options.make()
        self.factor = options.factor
        self.diverse = EmbeddingKMeans()
        self.needs = self.inner.needs | self.diverse.needs

    def choose(self, scores: Scores, n: int, seed: int) -> Rows:
        """See Strategy."""
        m = len(next(iter(scores.arrays.values())))
        candidates = self.inner.choose(scores, min(m, self.factor * n), seed)
        return candidates[self.diverse.choose(scores.for_candidates(candidates), n, seed)]
