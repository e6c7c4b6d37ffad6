"""AGGREGATED -> TRAINED: a new model version is on disk."""

import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from biasloop.domain.annotation import Annotation
from biasloop.domain.consensus import Method, Verdict, resolve
from biasloop.domain.flip import flip_consistency
from biasloop.domain.item import VERSION, Item
from biasloop.domain.label import LabelSource, Scheme
from biasloop.domain.metric import decide
from biasloop.domain.metric import evaluate as measure
from biasloop.domain.model import ModelVersion
from biasloop.domain.policy import votes_under
from biasloop.domain.round import Done
from biasloop.domain.split import Split
from biasloop.ports import Pool, Proba, TrainingSet
from biasloop.process import Heartbeat, job_folder, run_job
from biasloop.steps.kept import flag_columns, keep

VERSIONS = ("biasloop", "scikit-learn", "numpy", "skops", "torch", "transformers", "peft")


@dataclass(frozen=True, slots=True)
class Recipe:
    """Which classifier learns, and how; `linear` are the options of the linear one that learns
    beside a slow one (see biasloop.cascade). `consensus` says how votes come to one; with `soft`,
    people's votes on an item are examples of their own where they differ."""

    classifier: str
    options: Mapping[str, Any]
    linear: Mapping[str, Any]
    constructed_weight: float
    consensus: Method
    soft: bool
    seed: int


def train(
    *,
    model_id: str,
    pool: Pool,
    pool_folder: Path,
    features_folder: Path,
    annotations: Sequence[Annotation],
    sequence: int,
    scheme: Scheme,
    recipe: Recipe,
    work_folder: Path,
    models_folder: Path,
    heartbeat: Heartbeat,
) -> Done:
    """Trains on every labelled train item as of `sequence`; only real labels, never audit roots.

    Without a single labelled item there is nothing to learn: the round goes on without a model.
    Raises ClassifierError when the labels cannot be learned from.
    """
    data = training_data(
        pool,
        annotations,
        scheme,
        recipe.consensus,
        constructed_weight=recipe.constructed_weight,
        soft=recipe.soft,
    )
    if data.empty:
        return Done(facts={"model": None, "note": "no labelled train items yet"})
    job = {
        "kind": "train",
        "classifier": recipe.classifier,
        "options": dict(recipe.options),
        "linear": dict(recipe.linear),
        "labels": list(scheme.labels),
        "multi": scheme.multi,
        "seed": recipe.seed,
        "pool": str(pool_folder),
        "features": str(features_folder),
    }
    work = job_folder(work_folder, job, data.to_parquet())
    result = run_job(work, job, heartbeat)
    heartbeat()  # who was taken over must not touch the model of who took over
    _replace(models_folder / model_id, work / "model")
    oof = np.load(work / "oof.npy")
    keep(models_folder, model_id, "oof", out_of_fold(data, oof, result["thresholds"], scheme))
    learned = set(data["item_id"])
    policies = votes_under(a for a in annotations if a.item_id in learned)
    model = ModelVersion(
        id=model_id,
        classifier=recipe.classifier,
        seq=sequence,
        folder=f"models/{model_id}",
        card=card(data, oof, result, scheme, recipe) | {"policies": dict(policies)},
        trained_on=tuple(data["item_id"].unique()),
    )
    return Done(facts={"model": model_id, "trained_on": len(model.trained_on)}, records=(model,))


def _replace(folder: Path, made: Path) -> None:
    """A model that is there already is a killed attempt's; the ledger does not know it."""
    beside = folder.with_suffix(".tmp")
    shutil.rmtree(beside, ignore_errors=True)
    shutil.copytree(made, beside)
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)


def training_data(
    pool: Pool,
    annotations: Iterable[Annotation],
    scheme: Scheme,
    method: Method = Method.MAJORITY,
    *,
    constructed_weight: float,
    soft: bool = False,
) -> pd.DataFrame:
    """One row per labelled train item, in the order of the pool: item_id, row, text, root, group,
    operation, source, weight, family, and a column per label (see `columns`): 1, 0, or -1 where
    it was not asked about.

    With `soft`, an item whose n votes differ has n rows of an n-th of the weight: the votes
    instead of the consensus, which makes shares of them the target of every single label.
    `family` joins the versions that somebody wrote of one sentence; "" for all other rows.
    """
    verdicts = resolve(annotations, scheme, method)
    rows = pool.rows_of(list(verdicts))
    erased = pool.column("erased")
    split = pool.column("split")
    rows = np.sort(rows[rows >= 0])
    rows = rows[~erased[rows] & (split[rows] == Split.TRAIN)]
    told = [
        (item, row, verdict, 1 / len(verdicts_of))
        for item, row in zip(pool.items(rows), rows, strict=True)
        for verdicts_of in [_said(verdicts[item.id], soft)]
        for verdict in verdicts_of
    ]
    items, found = [item for item, *_ in told], [verdict for _, _, verdict, _ in told]
    labels = scheme.encode([v.labels for v in found], [v.asked for v in found])
    weight = {LabelSource.CONSTRUCTED: constructed_weight, LabelSource.LLM: 0.0}
    data = pd.DataFrame(
        {
            "item_id": [item.id for item in items],
            "row": [row for _, row, _, _ in told],
            "text": [item.text for item in items],
            "root": [item.roots[0] for item in items],
            "group": [item.group for item in items],
            "operation": [item.operation for item in items],
            "family": _families(items),
            "source": [str(v.source) for v in found],
            "weight": [share * weight.get(v.source, 1.0) for _, _, v, share in told],
        }
    )
    data[columns(scheme.labels)] = labels
    return data[data["weight"] > 0].reset_index(drop=True)


def _said(verdict: Verdict, soft: bool) -> Sequence[Verdict]:
    differ = len({frozenset(labels) for labels, _ in verdict.votes}) > 1
    if not soft or not differ:
        return [verdict]
    return [replace(verdict, labels=labels, asked=asked) for labels, asked in verdict.votes]


def columns(labels: Sequence[str]) -> list[str]:
    """Names of the labels' columns; prefixed, since a campaign may call a label "family"."""
    return [f"label_{name}" for name in labels]


def out_of_fold(
    data: pd.DataFrame, oof: Proba, thresholds: Sequence[float], scheme: Scheme
) -> pd.DataFrame:
    """What was said of each item by models that had not seen its root, beside what is true: of
    an item with several rows, what most of its weight says."""
    table = data[["item_id", "root", "source", *columns(scheme.labels)]].copy()
    table[flag_columns(scheme.labels)] = decide(
        oof, np.asarray(thresholds, np.float32), scheme.multi
    )
    heaviest = data["weight"].groupby(data["item_id"], sort=False).idxmax()
    return table.loc[heaviest].reset_index(drop=True)


def training_set(data: pd.DataFrame, labels: Sequence[str], multi: bool) -> TrainingSet:
    """The rows of `training_data` as a classifier takes them."""
    return TrainingSet(
        texts=data["text"].tolist(),
        labels=data[columns(labels)].to_numpy(np.int8),
        weights=data["weight"].to_numpy(np.float32),
        roots=data["root"].to_numpy(str),
        sources=[LabelSource(source) for source in data["source"]],
        label_names=tuple(labels),
        multi=multi,
    )


def _families(items: Sequence[Item]) -> list[str]:
    own = {item.id: item.parents[0] for item in items if item.operation.startswith(VERSION)}
    parents = set(own.values())
    return [own.get(item.id, item.id if item.id in parents else "") for item in items]


def card(
    data: pd.DataFrame, oof: Any, result: Mapping[str, Any], scheme: Scheme, recipe: Recipe
) -> dict[str, Any]:
    """What a model's card says: counts by source and label, out-of-fold figures, settings.

    Out-of-fold figures are over people's and seeds' labels only: a constructed label never
    vouches for a model.
    """
    real = (data["source"] != LabelSource.CONSTRUCTED).to_numpy()
    labels = data[columns(scheme.labels)].to_numpy(np.int8)
    thresholds = np.asarray(result["thresholds"], np.float32)
    flags = decide(oof, thresholds, scheme.multi)
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
        "rows": dict(Counter(data.drop_duplicates("item_id")["source"])),
        "positives": {name: int((labels[:, j] == 1).sum()) for j, name in enumerate(scheme.labels)},
        "out_of_fold": report.as_dict(),
        "flip_consistency": flip_consistency(
            data["family"].tolist(), labels, flags, seed=recipe.seed
        ).as_dict(),
        "thresholds": dict(zip(scheme.labels, result["thresholds"], strict=True)),
        "notes": result["notes"],
        "settings": {"options": dict(recipe.options), "seed": recipe.seed},
        "versions": {name: version(name) for name in VERSIONS},
    }
