"""The score job, in a child process: computes what the strategy needs for the items of the pool."""

from pathlib import Path

import numpy as np
import pandas as pd

from biasloop.plugins.classifiers.mixed.linear_part import LINEAR
from biasloop.plugins.registry import load_classifier
from biasloop.ports import Checkpoint, has_encoder
from biasloop.rounds.results import Result
from biasloop.rounds.steps.score.cascade import Shortlist, shortlist
from biasloop.rounds.steps.score.handover import ScoreJob
from biasloop.store.arrays import write_array
from biasloop.store.features import FeatureStore
from biasloop.store.pool import ArrowPool
from biasloop.store.scores import has_scores, scatter_scores, score_file, write_scores

CHUNK_TEXTS = 5_000


def score(folder: Path, job: ScoreJob, checkpoint: Checkpoint) -> Result:
    """Writes the scores that the strategy needs for every shard below `pool_rows` that lacks them.

    A classifier without an encoder scores only the rows that a cascade chooses if there are more
    candidates than `job.cascade`; the scores of the other rows are NaN.
    """
    classifier = load_classifier(job.classifier, job.model)
    pool = ArrowPool(job.pool)
    store = FeatureStore(job.features, pool)
    job.out.mkdir(parents=True, exist_ok=True)
    write_array(job.out / "thresholds.npy", classifier.thresholds)
    shortlisted = (
        None if has_encoder(classifier) else _choose_shortlist(folder, job, pool, store, checkpoint)
    )
    scored = 0
    for shard in pool.shards():
        number, start, rows = shard
        missing = frozenset(n for n in job.needs if not has_scores(job.out, number, n, rows))
        if not missing or start >= job.pool_rows:
            continue
        if has_encoder(classifier) and classifier.encoder:
            features = store.shard(classifier.encoder, shard, checkpoint=checkpoint)
            parts = [
                classifier.score_features(features[begin : begin + CHUNK_TEXTS], missing)
                for begin in range(0, rows, CHUNK_TEXTS)
            ]
        else:
            selected = np.arange(rows) if shortlisted is None else shortlisted.within(start, rows)
            parts = [
                classifier.score(
                    pool.texts(start + selected[begin : begin + CHUNK_TEXTS]),
                    missing,
                    checkpoint=checkpoint,
                )
                for begin in range(0, max(1, len(selected)), CHUNK_TEXTS)
            ]
            parts = [scatter_scores(parts, selected, rows)]
        write_scores(job.out, number, parts)
        checkpoint()
        scored += rows
    shards = [number for number, start, _ in pool.shards() if start < job.pool_rows]
    files = [score_file(job.out, shard, name).name for shard in shards for name in job.needs]
    result: Result = {"scored": scored, "files": files}
    if shortlisted:
        result["cascade"] = shortlisted.report(job.out, pool, classifier.thresholds, job.multi)
    return result


def _choose_shortlist(
    folder: Path, job: ScoreJob, pool: ArrowPool, store: FeatureStore, checkpoint: Checkpoint
) -> Shortlist | None:
    """The rows that the cascade chooses; None if all rows are scored."""
    frame = pd.read_parquet(folder / "candidates.parquet")
    candidates = frame.loc[~frame["always"], "row"].to_numpy()
    saved = job.model / LINEAR
    if len(candidates) <= job.cascade or not saved.exists():
        return None
    linear = load_classifier("tfidf", saved)
    assert has_encoder(linear)
    return shortlist(
        linear,
        pool,
        store,
        candidates,
        frame.loc[frame["always"], "row"].to_numpy(),
        job.cascade,
        multi=job.multi,
        seed=job.seed,
        checkpoint=checkpoint,
    )
