"""A slow classifier on a large pool: the linear one scores all, the slow one what that doubts.

A random sample is scored by both, and shows what the cascade misses (cascade ranking, Wang, Lin &
Metzler 2011, with the strategy's doubt in the place of relevance).
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

LINEAR = "linear"
"""Folder, beside a slow model, of the linear one that learned from the same rows."""
SAMPLE_SHARE = 0.1
"""Size of the random sample, beside the number of items that the linear model chooses."""
DOUBTED = 0.1
"""Share of the sample, most doubted by the slow model, that the linear one should have chosen."""
DOUBT = {False: "breaking_ties", True: "entropy"}
"""Strategy that ranks by doubt, by whether the scheme is multi-label; `auto` may draw by chance."""


@dataclass(frozen=True, slots=True)
class Shortlist:
    """Pool rows that the slow classifier scores: chosen for doubt, drawn at random, and asked for
    in any case; each sorted. `of` is how many rows there were to choose from."""

    doubted: Rows
    sample: Rows
    always: Rows
    of: int

    @property
    def rows(self) -> Rows:
        """All of them, each once, sorted."""
        rows: Rows = np.unique(np.concatenate([self.doubted, self.sample, self.always]))
        return rows

    def within(self, start: int, rows: int) -> Rows:
        """Those of the shard with these pool rows, counted from its first."""
        chosen: Rows = self.rows
        return chosen[(chosen >= start) & (chosen < start + rows)] - start

    def report(
        self, scores: Path, pool: Pool, thresholds: NDArray[np.float32], multi: bool
    ) -> dict[str, Any]:
        """How much of what the slow classifier doubts the linear one has found: `found` is the
        share of the sample's most doubted `n` that are also in `doubted`, `by_chance` what a
        random choice of the same size would find."""
        n = max(1, round(len(self.sample) * DOUBTED))
        proba = read_scores(scores, "proba", pool.shards(), self.sample)
        doubt = create(Kind.STRATEGY, DOUBT[multi])
        most = self.sample[doubt.choose(Scores({"proba": proba}, thresholds, multi), n, 0)]
        return {
            "scored": len(self.rows),
            "of": self.of,
            "n": n,
            "found": float(np.isin(most, self.doubted).mean()),
            "by_chance": len(self.doubted) / self.of,
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
    drawn = np.random.default_rng(seed).choice(
        candidates, min(round(size * SAMPLE_SHARE), len(candidates)), replace=False
    )
    return Shortlist(candidates[doubted], np.sort(drawn), always, len(candidates))
