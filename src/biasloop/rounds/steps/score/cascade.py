"""A cascade for slow classifiers on large pools: a linear one scores every item, the slow one only
those that the linear one doubts most.

A random sample, scored by both, shows what the cascade misses (cascade ranking, Wang, Lin & Metzler
2011, with doubt in the place of relevance).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Rows
from biasloop.domain.learning import Scores
from biasloop.plugins.registry import Kind, create
from biasloop.ports import Checkpoint, EncoderClassifier, Pool
from biasloop.store.features import FeatureStore
from biasloop.store.scores import read_scores

SAMPLE_SHARE = 0.1
"""Size of the random sample, as a share of the number of items that the linear model chooses."""
DOUBTED = 0.1
"""Share of the sample that the slow model doubts most: the linear one should have chosen these."""
DOUBT = {False: "breaking_ties", True: "entropy"}
"""Strategy that ranks by doubt, by whether the scheme is multi-label. Not `auto`, which may choose
at random."""


@dataclass(frozen=True, slots=True)
class Shortlist:
    """Pool rows that the slow classifier scores: the doubted ones, a random sample, and those that
    are always scored; each sorted. `total` is the number of candidates."""

    doubted: Rows
    sample: Rows
    always: Rows
    total: int

    @property
    def rows(self) -> Rows:
        """All of them, each once, sorted."""
        rows: Rows = np.unique(np.concatenate([self.doubted, self.sample, self.always]))
        return rows

    def within(self, start: int, rows: int) -> Rows:
        """The chosen rows in the shard of `rows` rows that begins at pool row `start`, relative to
        `start`."""
        chosen: Rows = self.rows
        return chosen[(chosen >= start) & (chosen < start + rows)] - start

    def report(
        self, scores: Path, pool: Pool, thresholds: NDArray[np.float32], multi: bool
    ) -> dict[str, Any]:
        """How much of what the slow classifier doubts the linear one has found: `found` is the
        share of the `n` most doubted rows of the sample that are also in `doubted`, `by_chance`
        the share that a random choice of the same size would find."""
        n = max(1, round(len(self.sample) * DOUBTED))
        proba = read_scores(scores, "proba", pool.shards(), self.sample)
        doubt = create(Kind.STRATEGY, DOUBT[multi])
        most_doubted = self.sample[doubt.choose(Scores({"proba": proba}, thresholds, multi), n, 0)]
        return {
            "scored": len(self.rows),
            "of": self.total,
            "n": n,
            "found": float(np.isin(most_doubted, self.doubted).mean()),
            "by_chance": len(self.doubted) / self.total,
        }


def shortlist(
    linear: EncoderClassifier,
    pool: Pool,
    store: FeatureStore,
    candidates: Rows,
    always: Rows,
    size: int,
    *,
    multi: bool,
    seed: int,
    checkpoint: Checkpoint,
) -> Shortlist:
    """The `size` candidates that the linear classifier doubts most, and the random sample."""
    assert linear.encoder is not None
    proba = []
    for shard in pool.shards():
        features = store.shard(linear.encoder, shard, checkpoint=checkpoint)
        proba.append(linear.score_features(features, frozenset({"proba"}))["proba"])
        checkpoint()
    scores = Scores({"proba": np.concatenate(proba)[candidates]}, linear.thresholds, multi)
    doubted = create(Kind.STRATEGY, DOUBT[multi]).choose(scores, min(size, len(candidates)), seed)
    sample = np.random.default_rng(seed).choice(
        candidates, min(round(size * SAMPLE_SHARE), len(candidates)), replace=False
    )
    return Shortlist(candidates[doubted], np.sort(sample), always, len(candidates))
