"""The evaluate job, in a child process: predicts audit items and the stop set, and trains models on
the labels of two arms to measure what acquisition saves."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd

from biasloop.domain.batch import Rows
from biasloop.domain.learning import Proba
from biasloop.domain.measure.metric import Flags, flag_labels
from biasloop.domain.measure.savings import SavingsPlan
from biasloop.errors import ClassifierError
from biasloop.plugins.loaded_model import LoadedModel
from biasloop.plugins.registry import Kind, create, load_classifier
from biasloop.ports import Checkpoint, Classifier, has_encoder
from biasloop.rounds.results import Result
from biasloop.rounds.steps.evaluate.handover import (
    EvaluateJob,
    SavedModel,
    audit_flags_file,
    flags_file,
    part_file,
    proba_file,
    read_part,
    stop_verdicts_file,
)
from biasloop.rounds.steps.evaluate.stability import stability
from biasloop.rounds.steps.stored_verdicts import flag_columns, proba_columns, read_verdicts
from biasloop.rounds.steps.train.data import training_set
from biasloop.store.arrays import write_array
from biasloop.store.atomic import read_if_intact, write_whole, written_whole
from biasloop.store.features import FeatureStore
from biasloop.store.pool import ArrowPool

PROBA = frozenset({"proba"})
HEAD_ONLY = {"steps": 8, "draws": 10}
WHOLE_MODEL = {"steps": 2, "draws": 4}
"""The size of the SavingsPlan: it trains 79 models if only a head is trained, 7 if the whole model
is."""


def evaluate(folder: Path, job: EvaluateJob, checkpoint: Checkpoint) -> Result:
    """Runs the parts that the job asks for, without those that a killed attempt finished."""
    functions = {
        "audit": _predict_audit,
        "stopping": _predict_stop_set,
        "savings": _measure_savings,
    }
    results = {}
    for part in job.parts:
        result = read_part(folder, job, part)
        if result is None:
            result = functions[part](folder, job, checkpoint)
            write_whole(part_file(folder, part), json.dumps(result))
        results[part] = result
    return results


def _predict_audit(folder: Path, job: EvaluateJob, checkpoint: Checkpoint) -> Result:
    """Writes the probabilities and the verdicts of each model on the texts of audit.parquet."""
    texts = pd.read_parquet(folder / "audit.parquet")["text"].tolist()
    for saved in job.judges:
        verdicts = _load(saved, job).predict(texts, checkpoint=checkpoint)
        write_array(proba_file(folder, saved.id), verdicts.proba)
        write_array(audit_flags_file(folder, saved.id), verdicts.flags)
    return {}


def _load(model: SavedModel, job: EvaluateJob) -> LoadedModel:
    return LoadedModel.load(model.classifier, model.folder, model.labels, job.scheme)


def _predict_stop_set(folder: Path, job: EvaluateJob, checkpoint: Checkpoint) -> Result:
    """Writes the model's verdicts on the stop set; returns the stopping criteria, which compare
    them with those of earlier models."""
    model = _load(job.model, job)
    table = pd.read_parquet(folder / "stop.parquet")
    rows = table["row"].to_numpy()
    verdicts = model.verdicts(_predict_rows(model.classifier, job, rows, checkpoint))
    known = np.isin(job.labels, verdicts.known)
    table[proba_columns(verdicts.known)] = verdicts.proba[:, known]
    table[flag_columns(verdicts.known)] = verdicts.flags[:, known]
    with written_whole(stop_verdicts_file(folder)) as temporary:
        table.to_parquet(temporary)
    earlier = [read_verdicts(path, job.scheme) for path in job.earlier or ()]
    tables = [each for each in earlier if each is not None] + [table]
    return {"criteria": [asdict(c) for c in stability(tables, job.labels, job.multi)]}


def _predict_rows(
    classifier: Classifier, job: EvaluateJob, rows: Rows, checkpoint: Checkpoint
) -> Proba:
    """Probabilities (n, k) of these pool rows, which are sorted."""
    pool = ArrowPool(job.pool)
    if has_encoder(classifier) and classifier.encoder:
        store = FeatureStore(job.features, pool)
        features = store.rows(classifier.encoder, rows, checkpoint=checkpoint)
        return classifier.score_features(features, PROBA)["proba"]
    return classifier.predict_proba(pool.texts(rows), checkpoint=checkpoint)


def _measure_savings(folder: Path, job: EvaluateJob, checkpoint: Checkpoint) -> Result:
    """The size of the plan, or the error if the models cannot be trained: that must not keep a
    round from ending."""
    try:
        return _train_both_arms(folder, job, checkpoint)
    except ClassifierError as error:
        return {"error": str(error)}


def _train_both_arms(folder: Path, job: EvaluateJob, checkpoint: Checkpoint) -> Result:
    """Trains on savings.parquet, whose column `part` says what a row is for, and writes each
    model's verdicts on the audit rows. Returns the size of the plan."""
    frame = pd.read_parquet(folder / "savings.parquet")
    acquired, random, seeds, audit = (
        np.flatnonzero(frame["part"] == part) for part in ("acquired", "random", "seed", "audit")
    )
    learner = _Learner(frame, job, checkpoint)
    size = HEAD_ONLY if learner.encoder else WHOLE_MODEL
    plan = SavingsPlan.from_label_count(len(acquired), **size, seed=job.seed)
    fits = [acquired[rows] for rows in plan.acquired()] + [random[rows] for rows in plan.random()]
    paths = [folder / f"{number:03d}.npy" for number in range(len(fits))]
    for rows, path in zip(fits, paths, strict=True):
        if read_if_intact(path, np.load) is None:  # else a killed attempt got so far
            write_array(path, learner.flags(np.append(rows, seeds), audit))
    write_array(flags_file(folder), np.stack([np.load(path) for path in paths]))
    return dict(size)


class _Learner:
    """Trains classifiers as the job's model was trained, on rows of a frame, with its encoder."""

    def __init__(self, frame: pd.DataFrame, job: EvaluateJob, checkpoint: Checkpoint) -> None:
        self.frame, self.job, self.checkpoint = frame, job, checkpoint
        model = load_classifier(job.model.classifier, job.model.folder)
        self.encoder = model.encoder if has_encoder(model) else None
        if self.encoder:
            store = FeatureStore(job.features, ArrowPool(job.pool))
            rows, positions = np.unique(frame["row"], return_inverse=True)
            self.features = store.rows(self.encoder, rows, checkpoint=checkpoint)[positions]

    def flags(self, training_rows: Rows, judged_rows: Rows) -> Flags:
        """Trains a model on some rows; returns its verdicts on others, (n, k). Thresholds are those
        of the rows: the acquired arm has no random labels that could set them for the pool."""
        job, checkpoint = self.job, self.checkpoint
        data = training_set(self.frame.iloc[training_rows], job.labels, job.multi)
        classifier: Classifier = create(Kind.CLASSIFIER, job.model.classifier, job.options)
        if has_encoder(classifier):
            classifier.encoder = self.encoder
            data = replace(data, features=self.features[training_rows])
            classifier.fit(data, seed=job.seed, checkpoint=checkpoint)
            proba = classifier.score_features(self.features[judged_rows], PROBA)["proba"]
        else:
            classifier.fit(data, seed=job.seed, checkpoint=checkpoint)
            texts = self.frame["text"].iloc[judged_rows].tolist()
            proba = classifier.predict_proba(texts, checkpoint=checkpoint)
        return flag_labels(proba, classifier.thresholds, job.multi)
