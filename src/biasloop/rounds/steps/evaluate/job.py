"""The jobs of the step evaluate, in child processes: what models say of audit items and of the stop
set, and small models that learn from the labels of two arms."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from biasloop.domain.batch import Rows
from biasloop.domain.learning import Proba
from biasloop.domain.measure.metric import Flags, decide
from biasloop.domain.measure.savings import Plan
from biasloop.plugins.registry import Kind, create, load_classifier
from biasloop.ports import Checkpoint, Classifier, has_encoder
from biasloop.rounds.steps.evaluate.stability import aligned, stability
from biasloop.rounds.steps.kept_verdicts import flag_columns, proba_columns
from biasloop.rounds.steps.train.data import training_set
from biasloop.store.features import FeatureStore
from biasloop.store.pool import ArrowPool

PROBA = frozenset({"proba"})
HEAD_ONLY = {"steps": 8, "draws": 10}
WHOLE = {"steps": 2, "draws": 4}
"""The size of `savings` (see domain.savings.Plan): 79 models where only a head is trained, 7 where
a whole model is."""


def predict(folder: Path, job: dict[str, Any], checkpoint: Checkpoint) -> dict[str, Any]:
    """Probabilities of FOLDER/data.parquet by each model, to FOLDER/<model>.npy."""
    texts = pd.read_parquet(folder / "data.parquet")["text"].tolist()
    for model in job["models"]:
        classifier = load_classifier(model["classifier"], Path(model["folder"]))
        np.save(
            folder / f"{model['id']}.npy", classifier.predict_proba(texts, checkpoint=checkpoint)
        )
        np.save(folder / f"{model['id']}.thresholds.npy", classifier.thresholds)
    return {}


def stopping(folder: Path, job: dict[str, Any], checkpoint: Checkpoint) -> dict[str, Any]:
    """What a model says of the rows in data.parquet, to FOLDER/stop.parquet, and what stopping
    criteria make of it beside what earlier models said."""
    classifier = load_classifier(job["model"]["classifier"], Path(job["model"]["folder"]))
    table = pd.read_parquet(folder / "data.parquet")
    proba = _predict_rows(classifier, job, table["row"].to_numpy(), checkpoint)
    table[proba_columns(job["labels"])] = proba
    table[flag_columns(job["labels"])] = decide(proba, classifier.thresholds, job["multi"])
    table.to_parquet(folder / "stop.parquet")
    tables = aligned([*map(pd.read_parquet, job["earlier"]), table])
    return {"criteria": [asdict(c) for c in stability(tables, job["labels"], job["multi"])]}


def _predict_rows(
    classifier: Classifier, job: dict[str, Any], rows: Rows, checkpoint: Checkpoint
) -> Proba:
    """Probabilities (n, k) of these pool rows, which are sorted."""
    pool = ArrowPool(Path(job["pool"]))
    if has_encoder(classifier) and classifier.encoder:
        store = FeatureStore(Path(job["features"]), pool)
        features = store.rows(classifier.encoder, rows, checkpoint=checkpoint)
        return classifier.score_features(features, PROBA)["proba"]
    return classifier.predict_proba(pool.texts(rows), checkpoint=checkpoint)


def savings(folder: Path, job: dict[str, Any], checkpoint: Checkpoint) -> dict[str, Any]:
    """Trains the models of both arms' learning curves on data.parquet, whose column `part` says
    what a row is for, and writes what each says of the audit rows: FOLDER/flags.npy (models, n, k).
    Returns the size of the plan."""
    frame = pd.read_parquet(folder / "data.parquet")
    acquired, random, seeds, audit = (
        np.flatnonzero(frame["part"] == part) for part in ("acquired", "random", "seed", "audit")
    )
    learner = _Learner(frame, job, checkpoint)
    size = HEAD_ONLY if learner.encoder else WHOLE
    plan = Plan.of(len(acquired), **size, seed=job["seed"])
    fits = [acquired[rows] for rows in plan.acquired()] + [random[rows] for rows in plan.random()]
    paths = [folder / f"{number:03d}.npy" for number in range(len(fits))]
    for rows, path in zip(fits, paths, strict=True):
        if not path.exists():  # else a killed attempt got so far
            beside = path.with_suffix(".tmp.npy")
            np.save(beside, learner.flags(np.append(rows, seeds), audit))
            beside.rename(path)
    np.save(folder / "flags.npy", np.stack([np.load(path) for path in paths]))
    return dict(size)


class _Learner:
    """Trains classifiers as the job's model was trained, on rows of a frame, with its encoder."""

    def __init__(self, frame: pd.DataFrame, job: dict[str, Any], checkpoint: Checkpoint) -> None:
        self.frame, self.job, self.checkpoint = frame, job, checkpoint
        model = load_classifier(job["model"]["classifier"], Path(job["model"]["folder"]))
        self.encoder = model.encoder if has_encoder(model) else None
        if self.encoder:
            store = FeatureStore(Path(job["features"]), ArrowPool(Path(job["pool"])))
            rows, place = np.unique(frame["row"], return_inverse=True)
            self.features = store.rows(self.encoder, rows, checkpoint=checkpoint)[place]

    def flags(self, learned: Rows, judged: Rows) -> Flags:
        """What a model that learned from some rows says of others, (n, k)."""
        job, checkpoint = self.job, self.checkpoint
        data = training_set(self.frame.iloc[learned], job["labels"], job["multi"])
        classifier: Classifier = create(Kind.CLASSIFIER, job["model"]["classifier"], job["options"])
        if has_encoder(classifier):
            classifier.encoder = self.encoder
            data = replace(data, features=self.features[learned])
            classifier.fit(data, seed=job["seed"], checkpoint=checkpoint)
            proba = classifier.score_features(self.features[judged], PROBA)["proba"]
        else:
            classifier.fit(data, seed=job["seed"], checkpoint=checkpoint)
            texts = self.frame["text"].iloc[judged].tolist()
            proba = classifier.predict_proba(texts, checkpoint=checkpoint)
        return decide(proba, classifier.thresholds, job["multi"])
