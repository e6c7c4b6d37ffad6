"""The heavy work itself, as run in a child process: `python -m biasloop.rounds.jobs FOLDER`.

A job reads job.json in its folder and writes result.json there. It never opens the ledger. When
its parent is gone it ends at its next checkpoint; the next parent starts it again, and a lock on
the folder makes the new child wait for the old one's end.
"""

import json
import os
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock

from biasloop.errors import BiasloopError, in_words
from biasloop.plugins.registry import load_classifier
from biasloop.ports import Checkpoint, has_encoder
from biasloop.rounds.steps.evaluate.job import predict, savings, stopping
from biasloop.rounds.steps.expand.job import expand
from biasloop.rounds.steps.score.cascade import LINEAR, Shortlist, shortlist
from biasloop.rounds.steps.train.job import probation, train
from biasloop.store.features import FeatureStore
from biasloop.store.pool import ArrowPool
from biasloop.store.scores import score_file, spread, write_scores

Result = dict[str, Any]
CHUNK_TEXTS = 5_000


def score(folder: Path, job: dict[str, Any], checkpoint: Checkpoint) -> Result:
    """Writes what the strategy needs of every shard below `pool_rows` that lacks it.

    Without an encoder and with more candidates (data.parquet) than job["cascade"], only of those
    that a cascade chooses; the other rows are NaN.
    """
    classifier = load_classifier(job["classifier"], Path(job["model"]))
    pool = ArrowPool(Path(job["pool"]))
    store = FeatureStore(Path(job["features"]), pool)
    out = Path(job["out"])
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "thresholds.npy", classifier.thresholds)
    chosen = None if has_encoder(classifier) else _shortlist(folder, job, pool, store, checkpoint)
    scored = 0
    for shard in pool.shards():
        number, start, rows = shard
        missing = frozenset(n for n in job["needs"] if not score_file(out, number, n).exists())
        if not missing or start >= job["pool_rows"]:
            continue
        if has_encoder(classifier) and classifier.encoder:
            features = store.shard(classifier.encoder, shard, checkpoint=checkpoint)
            parts = [
                classifier.score_features(features[begin : begin + CHUNK_TEXTS], missing)
                for begin in range(0, rows, CHUNK_TEXTS)
            ]
        else:
            wanted = np.arange(rows) if chosen is None else chosen.within(start, rows)
            parts = [
                classifier.score(
                    pool.texts(start + wanted[begin : begin + CHUNK_TEXTS]),
                    missing,
                    checkpoint=checkpoint,
                )
                for begin in range(0, max(1, len(wanted)), CHUNK_TEXTS)
            ]
            parts = [spread(parts, wanted, rows)]
        write_scores(out, number, parts)
        checkpoint()
        scored += rows
    told: Result = {"scored": scored}
    if chosen:
        told["cascade"] = chosen.report(out, pool, classifier.thresholds, job["multi"])
    return told


def _shortlist(
    folder: Path, job: dict[str, Any], pool: ArrowPool, store: FeatureStore, checkpoint: Checkpoint
) -> Shortlist | None:
    frame = pd.read_parquet(folder / "data.parquet")
    candidates = frame.loc[~frame["always"], "row"].to_numpy()
    saved = Path(job["model"]) / LINEAR
    if len(candidates) <= job["cascade"] or not saved.exists():
        return None
    linear = load_classifier("tfidf", saved)
    assert has_encoder(linear)
    return shortlist(
        linear,
        pool,
        store,
        candidates,
        frame.loc[frame["always"], "row"].to_numpy(),
        job["cascade"],
        multi=job["multi"],
        seed=job["seed"],
        checkpoint=checkpoint,
    )


JOBS: dict[str, Callable[[Path, dict[str, Any], Checkpoint], Result]] = {
    "expand": expand,
    "probation": probation,
    "train": train,
    "score": score,
    "predict": predict,
    "stopping": stopping,
    "savings": savings,
}


def _watch_parent() -> Checkpoint:
    """A checkpoint that ends this process once the pipe from its parent is closed."""
    orphaned = threading.Event()

    def watch() -> None:
        # The parent never writes. Not through sys.stdin, whose lock would abort our end.
        os.read(0, 1)
        orphaned.set()

    threading.Thread(target=watch, daemon=True).start()

    def checkpoint() -> None:
        if orphaned.is_set():
            os._exit(3)

    return checkpoint


def main(folder: Path) -> None:
    """Runs the job of this folder; the result appears whole or not at all."""
    checkpoint = _watch_parent()
    with FileLock(folder / "lock"):
        if (folder / "result.json").exists():
            return
        checkpoint()
        job = json.loads((folder / "job.json").read_text("utf-8"))
        try:
            result = JOBS[job["kind"]](folder, job, checkpoint)
            beside = folder / "result.tmp"
            beside.write_text(json.dumps(result), "utf-8")
            beside.rename(folder / "result.json")
        except (BiasloopError, OSError) as error:
            traceback.print_exc()
            where = f", at work in {folder}" if isinstance(error, OSError) else ""
            told = {"type": type(error).__name__, "message": f"{in_words(error)}{where}"}
            (folder / "error.json").write_text(json.dumps(told), "utf-8")
            sys.exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
