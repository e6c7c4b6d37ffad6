"""The jobs of the train step, in a child process: a review of texts by language models, and the
model."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from biasloop.domain.batch import Rows
from biasloop.domain.learning import PoolSample, TrainingSet
from biasloop.domain.measure.metric import flag_labels
from biasloop.domain.measure.probation import SEEDS, PairedRun, review_texts
from biasloop.plugins.classifiers.mixed.linear_part import LINEAR
from biasloop.plugins.registry import Kind, create
from biasloop.ports import Checkpoint, Classifier, Encoder, has_encoder, no_checkpoint
from biasloop.rounds.results import Result
from biasloop.rounds.steps.train.data import training_set
from biasloop.rounds.steps.train.handover import (
    LearningJob,
    ReviewJob,
    TrainJob,
    model_folder,
    oof_file,
)
from biasloop.rounds.steps.train.probation import review_rows
from biasloop.store.arrays import write_array
from biasloop.store.atomic import read_if_intact, written_whole
from biasloop.store.features import FeatureStore
from biasloop.store.pool import ArrowPool


def train(folder: Path, job: TrainJob, checkpoint: Checkpoint) -> Result:
    """Fits a classifier on data.parquet, with thresholds for the pool, of which sample.parquet
    names rows; saves it and its out-of-fold probabilities."""
    frame, sample = (pd.read_parquet(folder / f"{name}.parquet") for name in ("data", "sample"))
    data, encoder = _read_training_set(frame, sample["row"].to_numpy(), job, checkpoint)
    classifier = _new_classifier(job)
    if has_encoder(classifier):
        classifier.encoder = encoder
    work = folder / "training"
    report = classifier.fit(data, seed=job.seed, checkpoint=checkpoint, work=work)
    model = model_folder(folder)
    shutil.rmtree(model, ignore_errors=True)  # left by a killed attempt
    model.mkdir()
    classifier.save(model)
    has_linear = (model / LINEAR).exists()  # transformer trains and saves its own
    if not has_encoder(classifier) and not has_linear:
        linear: Classifier = create(Kind.CLASSIFIER, "tfidf", job.linear)
        linear.fit(data, seed=job.seed, checkpoint=checkpoint)
        (model / LINEAR).mkdir()
        linear.save(model / LINEAR)
    write_array(oof_file(folder), report.oof)
    shutil.rmtree(work, ignore_errors=True)
    return {
        # Not rounded: verdicts are made with them, and that of a very rare label would be 0.
        "thresholds": report.thresholds.tolist(),
        "for_pool": report.for_pool,
        "notes": list(report.notes),
    }


def review(folder: Path, job: ReviewJob, checkpoint: Checkpoint) -> Result:
    """Reviews the rows of data.parquet that language models wrote; see domain.measure.probation."""
    frame = pd.read_parquet(folder / "data.parquet")
    data, _ = _read_training_set(frame, np.empty(0, np.int64), job, checkpoint)
    rows = review_rows(frame, data)
    runs = with_and_without(
        lambda: _new_classifier(job),
        data,
        rows.written,
        seed=job.seed,
        checkpoint=checkpoint,
        work=folder,
    )
    return review_texts(rows, runs, weight=job.weight, up_to=job.up_to, seed=job.seed).as_dict()


def with_and_without(
    new_classifier: Callable[[], Classifier],
    data: TrainingSet,
    written: NDArray[np.bool_],
    *,
    seed: int,
    checkpoint: Checkpoint = no_checkpoint,
    work: Path,
) -> list[PairedRun]:
    """Fits SEEDS pairs of models: with the written rows at their weights, and at weight 0. Both
    have the same rows and thus the same folds.

    `written` (n,) marks the rows that language models wrote. Finished fits are stored in the folder
    `work`, so that a killed attempt can be continued.
    """
    weights = np.where(written, 0, data.weights).astype(np.float32)
    left_out = replace(data, weights=weights)
    runs = []
    for number in range(seed, seed + SEEDS):

        def fit(name: str, data: TrainingSet, seed: int = number) -> tuple[Any, Any]:
            path = work / f"{name}-{seed}.npz"
            if finished := read_if_intact(path, _read_fit):  # by a killed attempt
                return finished
            report = new_classifier().fit(data, seed=seed, checkpoint=checkpoint, work=work / "fit")
            with written_whole(path) as temporary, temporary.open("wb") as file:
                np.savez(file, oof=report.oof, thresholds=report.thresholds)
            shutil.rmtree(work / "fit", ignore_errors=True)
            return report.oof, report.thresholds

        with_, _ = fit("with", data)
        without, thresholds = fit("without", left_out)
        runs.append(PairedRun(with_, without, flag_labels(without, thresholds, data.multi)))
    return runs


def _read_fit(path: Path) -> tuple[Any, Any]:
    with np.load(path) as arrays:
        return arrays["oof"], arrays["thresholds"]


def _new_classifier(job: LearningJob) -> Classifier:
    classifier: Classifier = create(Kind.CLASSIFIER, job.classifier, job.options)
    return classifier


def _read_training_set(
    frame: pd.DataFrame, sample: Rows, job: LearningJob, checkpoint: Checkpoint
) -> tuple[TrainingSet, Encoder | None]:
    """The training set of a frame, with these rows of the pool as its sample if there are any, and
    the classifier's encoder if it has one: then training set and sample have stored features."""
    data, pool = training_set(frame, job.labels, job.multi), ArrowPool(job.pool)
    if len(sample):
        data = replace(data, pool=PoolSample(pool.texts(sample)))
    classifier = _new_classifier(job)
    if not has_encoder(classifier):
        return data, None
    store = FeatureStore(job.features, pool)
    encoder = store.encoder(classifier, data.texts)
    rows = store.rows(encoder, frame["row"].to_numpy(), checkpoint=checkpoint)
    data = replace(data, features=rows)
    if data.pool:
        rows = store.rows(encoder, sample, checkpoint=checkpoint)
        data = replace(data, pool=replace(data.pool, features=rows))
    return data, encoder
