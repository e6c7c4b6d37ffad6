"""The heavy work itself, as run in a child process: `python -m biasloop.jobs FOLDER`.

A job reads job.json in its folder and writes result.json there. It never opens the ledger. When
its parent is gone it ends at its next checkpoint; the next parent starts it again, and a lock on
the folder makes the new child wait for the old one's end.
"""

import json
import os
import shutil
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock

import biasloop.classifiers
import biasloop.strategies  # noqa: F401 - both register their plug-ins
from biasloop.cascade import LINEAR, Shortlist, shortlist
from biasloop.classifiers.tfidf import Tfidf
from biasloop.domain.batch import Rows
from biasloop.domain.metric import decide
from biasloop.errors import BiasloopError, in_words
from biasloop.expansion import expand
from biasloop.ports import Checkpoint, Classifier, Proba, has_encoder
from biasloop.registry import Kind, create, plugin
from biasloop.steps.evaluate.stability import aligned, stability
from biasloop.steps.kept import flag_columns, proba_columns
from biasloop.steps.train import training_set
from biasloop.store.features import FeatureStore
from biasloop.store.pool import ArrowPool
from biasloop.store.scores import score_file, spread, write_scores

Result = dict[str, Any]
CHUNK_TEXTS = 5_000


def train(folder: Path, job: dict[str, Any], checkpoint: Checkpoint) -> Result:
    """Fits a classifier on data.parquet and saves it to FOLDER/model, out-of-fold
    probabilities to FOLDER/oof.npy."""
    classifier: Classifier = create(Kind.CLASSIFIER, job["classifier"], job["options"])
    frame = pd.read_parquet(folder / "data.parquet")
    data = training_set(frame, job["labels"], job["multi"])
    if has_encoder(classifier):
        store = FeatureStore(Path(job["features"]), ArrowPool(Path(job["pool"])))
        classifier.encoder = store.encoder(classifier, data.texts)
        rows = store.rows(classifier.encoder, frame["row"].to_numpy(), checkpoint=checkpoint)
        data = replace(data, features=rows)
    work = folder / "training"
    report = classifier.fit(data, seed=job["seed"], checkpoint=checkpoint, work=work)
    model = folder / "model"
    shutil.rmtree(model, ignore_errors=True)  # a killed attempt's
    model.mkdir()
    classifier.save(model)
    if not has_encoder(classifier):
        linear: Classifier = create(Kind.CLASSIFIER, "tfidf", job["linear"])
        linear.fit(data, seed=job["seed"], checkpoint=checkpoint)
        (model / LINEAR).mkdir()
        linear.save(model / LINEAR)
    np.save(folder / "oof.npy", report.oof)
    shutil.rmtree(work, ignore_errors=True)
    thresholds = [round(float(t), 4) for t in report.thresholds]
    return {"thresholds": thresholds, "notes": list(report.notes)}


def score(folder: Path, job: dict[str, Any], checkpoint: Checkpoint) -> Result:
    """Writes what the strategy needs of every shard below `pool_rows` that lacks it.

    Without an encoder and with more candidates (data.parquet) than job["cascade"], only of those
    that a cascade chooses; the other rows are NaN.
    """
    classifier = load(job["classifier"], Path(job["model"]))
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
    linear = Path(job["model"]) / LINEAR
    if len(candidates) <= job["cascade"] or not linear.exists():
        return None
    return shortlist(
        Tfidf.load(linear),
        pool,
        store,
        candidates,
        frame.loc[frame["always"], "row"].to_numpy(),
        job["cascade"],
        multi=job["multi"],
        seed=job["seed"],
        checkpoint=checkpoint,
    )


def predict(folder: Path, job: dict[str, Any], checkpoint: Checkpoint) -> Result:
    """Probabilities of FOLDER/data.parquet by each model, to FOLDER/<model>.npy."""
    texts = pd.read_parquet(folder / "data.parquet")["text"].tolist()
    for model in job["models"]:
        classifier = load(model["classifier"], Path(model["folder"]))
        np.save(
            folder / f"{model['id']}.npy", classifier.predict_proba(texts, checkpoint=checkpoint)
        )
        np.save(folder / f"{model['id']}.thresholds.npy", classifier.thresholds)
    return {}


def stopping(folder: Path, job: dict[str, Any], checkpoint: Checkpoint) -> Result:
    """What a model says of the rows in data.parquet, to FOLDER/stop.parquet, and what stopping
    criteria make of it beside what earlier models said."""
    classifier = load(job["model"]["classifier"], Path(job["model"]["folder"]))
    table = pd.read_parquet(folder / "data.parquet")
    proba = predict_rows(classifier, job, table["row"].to_numpy(), checkpoint)
    table[proba_columns(job["labels"])] = proba
    table[flag_columns(job["labels"])] = decide(proba, classifier.thresholds, job["multi"])
    table.to_parquet(folder / "stop.parquet")
    tables = aligned([*map(pd.read_parquet, job["earlier"]), table])
    return {"criteria": [asdict(c) for c in stability(tables, job["labels"], job["multi"])]}


def predict_rows(
    classifier: Classifier, job: dict[str, Any], rows: Rows, checkpoint: Checkpoint
) -> Proba:
    """Probabilities (n, k) of these pool rows, which are sorted."""
    pool = ArrowPool(Path(job["pool"]))
    if has_encoder(classifier) and classifier.encoder:
        store = FeatureStore(Path(job["features"]), pool)
        features = store.rows(classifier.encoder, rows, checkpoint=checkpoint)
        return classifier.score_features(features, frozenset({"proba"}))["proba"]
    return classifier.predict_proba(pool.texts(rows), checkpoint=checkpoint)


JOBS: dict[str, Callable[[Path, dict[str, Any], Checkpoint], Result]] = {
    "expand": expand,
    "train": train,
    "score": score,
    "predict": predict,
    "stopping": stopping,
}


def load(classifier: str, folder: Path) -> Classifier:
    """A saved model of the classifier of that name."""
    loaded: Classifier = plugin(Kind.CLASSIFIER, classifier).load().load(folder)
    return loaded


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
