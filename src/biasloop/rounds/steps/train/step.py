"""AGGREGATED -> TRAINED: trains a new model version and saves it."""

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from biasloop.domain.annotation import Annotation
from biasloop.domain.label import EVIDENCE, LabelSource, Scheme
from biasloop.domain.learning import Proba
from biasloop.domain.measure.flip import flip_consistency
from biasloop.domain.measure.metric import evaluate as measure
from biasloop.domain.measure.metric import flag_labels
from biasloop.domain.measure.probation import Review
from biasloop.domain.model import ModelVersion
from biasloop.domain.policy import count_votes_by_policy
from biasloop.domain.round import Done
from biasloop.domain.text import CUTTER_VERSION, NORMALISER_VERSION
from biasloop.ports import Pool
from biasloop.rounds.child import Heartbeat, job_folder, run_job
from biasloop.rounds.steps.stored_verdicts import flag_columns, proba_columns, write_verdicts
from biasloop.rounds.steps.train.data import columns, sample_unlabelled, training_data
from biasloop.rounds.steps.train.handover import TrainJob, model_folder, oof_file
from biasloop.rounds.steps.train.probation import review_written
from biasloop.rounds.steps.train.recipe import Folders, Recipe
from biasloop.store.atomic import written_whole

VERSIONS = ("biasloop", "scikit-learn", "numpy", "skops", "torch", "transformers", "peft")


def train(
    *,
    model_id: str,
    pool: Pool,
    pool_folder: Path,
    features_folder: Path,
    annotations: Sequence[Annotation],
    random: Set[str],
    sequence: int,
    review: Review | None,
    review_due: bool,
    scheme: Scheme,
    recipe: Recipe,
    work_folder: Path,
    models_folder: Path,
    heartbeat: Heartbeat,
) -> Done:
    """Trains on every labelled train item as of `sequence`, never on audit roots.

    The newest review decides whether the model learns from texts by language models: that of this
    step if one is due and there is something to measure, else `review`.

    `random` are the ids of items that stand for the pool (see train.data.random_items).

    Without any labelled item the round goes on without a model. Raises ClassifierError when the
    labels cannot be learned from.
    """
    folders = Folders(work_folder, pool_folder, features_folder)
    reviewed = Done()
    if review_due:
        reviewed = review_written(
            pool=pool,
            annotations=annotations,
            sequence=sequence,
            scheme=scheme,
            recipe=recipe,
            folders=folders,
            heartbeat=heartbeat,
        )
    review = reviewed.records[0] if reviewed.records else review
    written = {
        a.item_id: recipe.written.weight_of(a.seq, review)
        for a in annotations
        if a.source is LabelSource.LLM
    }
    data = training_data(
        pool,
        annotations,
        scheme,
        recipe.consensus,
        constructed_weight=recipe.constructed_weight,
        written=written,
        soft=recipe.soft,
        random=random,
    )
    if data.empty:
        return Done(facts={**reviewed.facts, "model": None, "note": "no labelled train items yet"})
    job = TrainJob(**recipe.learning(scheme, folders), linear=recipe.linear)
    work = job_folder(work_folder, job, data=data, sample=_pool_sample(pool, data, recipe.seed))
    result = run_job(work, job, heartbeat)
    heartbeat()  # after losing the lease it must not touch its successor's model
    _replace(models_folder / model_id, model_folder(work))
    oof = np.load(oof_file(work))
    write_verdicts(
        models_folder, model_id, "oof", out_of_fold(data, oof, result["thresholds"], scheme)
    )
    learned = set(data["item_id"])
    policies = count_votes_by_policy(a for a in annotations if a.item_id in learned)
    model = ModelVersion(
        id=model_id,
        classifier=recipe.classifier,
        seq=sequence,
        folder=f"models/{model_id}",
        card=card(data, oof, result, scheme, recipe)
        | {"policies": dict(policies), "probation": _probation(written, review)},
        trained_on=tuple(data["item_id"].unique()),
    )
    facts = {"model": model_id, "trained_on": len(model.trained_on)}
    return Done(facts={**reviewed.facts, **facts}, records=(*reviewed.records, model))


def _pool_sample(pool: Pool, data: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The rows of the pool that thresholds are set on; none without a random item to calibrate
    with."""
    if not data["random"].any():
        return pd.DataFrame({"row": np.empty(0, np.int64)})
    return pd.DataFrame({"row": sample_unlabelled(pool, data["item_id"], seed)})


def _replace(folder: Path, trained: Path) -> None:
    """Copies the trained model to `folder`. A model that is there already was left by a killed
    attempt; the ledger does not know it."""
    with written_whole(folder) as temporary:
        shutil.copytree(trained, temporary)
        shutil.rmtree(folder, ignore_errors=True)


def out_of_fold(
    data: pd.DataFrame, oof: Proba, thresholds: Sequence[float], scheme: Scheme
) -> pd.DataFrame:
    """A row per item: its labels, and verdict and probabilities by models that had not seen its
    root. For an item with several rows those of the row with the largest weight."""
    table = data[["item_id", "root", "source", *columns(scheme.labels)]].copy()
    table[flag_columns(scheme.labels)] = flag_labels(
        oof, np.asarray(thresholds, np.float32), scheme.multi
    )
    table[proba_columns(scheme.labels)] = oof
    heaviest = data["weight"].groupby(data["item_id"], sort=False).idxmax()
    return table.loc[heaviest].reset_index(drop=True)


def card(
    data: pd.DataFrame, oof: Any, result: Mapping[str, Any], scheme: Scheme, recipe: Recipe
) -> dict[str, Any]:
    """A model's card: counts by source and label, out-of-fold figures, settings; `random_labels` is
    the number of labelled items that stand for the pool, `thresholds_for_pool` whether thresholds
    are for it.

    Out-of-fold figures are over labels by people and seeds only: neither constructed labels nor
    those of language models are evidence for a model.
    """
    real = data["source"].isin(EVIDENCE).to_numpy()
    labels = data[columns(scheme.labels)].to_numpy(np.int8)
    thresholds = np.asarray(result["thresholds"], np.float32)
    flags = flag_labels(oof, thresholds, scheme.multi)
    report = measure(
        labels[real],
        oof[real],
        flags[real],
        data["root"].to_numpy(str)[real],
        scheme.labels,
        multi=scheme.multi,
        seed=recipe.seed,
    )
    return {
        "labels": list(scheme.labels),
        "rows": dict(Counter(data.drop_duplicates("item_id")["source"])),
        "random_labels": data.loc[data["random"], "item_id"].nunique(),
        "positives": {name: int((labels[:, j] == 1).sum()) for j, name in enumerate(scheme.labels)},
        "out_of_fold": report.as_dict(),
        "flip_consistency": flip_consistency(
            data["family"].tolist(), labels, flags, seed=recipe.seed
        ).as_dict(),
        "thresholds": dict(zip(scheme.labels, result["thresholds"], strict=True)),
        "thresholds_for_pool": result.get("for_pool", False),  # a job of an earlier version
        "notes": result["notes"],
        "settings": {"options": dict(recipe.options), "seed": recipe.seed},
        "versions": {name: version(name) for name in VERSIONS}
        | {"cutter": CUTTER_VERSION, "normaliser": NORMALISER_VERSION},
    }


def _probation(written: Mapping[str, float], review: Review | None) -> dict[str, Any] | None:
    """How many texts by language models the model learned from at which weight, and the review that
    decided it; None without such texts."""
    if not written:
        return None
    weights = Counter(map(str, written.values()))
    return {"weights": dict(weights), "review": review and review.as_dict()}
