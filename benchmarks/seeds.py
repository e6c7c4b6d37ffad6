"""How good the classifier is on a campaign's seeds alone, and whether expansion earns its place.

    python -m benchmarks.seeds [--campaign job_ads_it] [--json]

Cross-validated by root and by sector: no fold cuts one. Every measure is on seed sentences that
the model did not see, nor any version of them; thresholds come from the training part of each
fold. Three arms: the seeds, with the versions that their authors wrote, and with the rewriter's
as well. The random arm flags every label at its own rate.
"""

import argparse
import json
import platform
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from biasloop.domain.item import VERSION
from biasloop.domain.label import LabelSource
from biasloop.domain.measure.flip import flip_consistency
from biasloop.domain.measure.metric import compare, evaluate
from biasloop.domain.measure.resample import Interval
from biasloop.plugins.classifiers.head.folds import group_folds
from biasloop.plugins.registry import Kind, create
from biasloop.rounds.steps.train.data import columns, training_data, training_set
from biasloop.service.importing import import_file
from biasloop.service.service import Service
from biasloop.workspace.create import create_workspace
from biasloop.workspace.seed_check import seed_rows

FOLDS = 5
SEED = 0
ARMS = ("random", "seeds", "versions", "expansion")


def load(campaign: str, folder: Path, seed: int = SEED) -> tuple[Service, pd.DataFrame]:
    """A workspace with the campaign's seeds, expanded, and its training data, with the column
    `hard_negative`."""
    create_workspace(folder, campaign, seed)
    service = Service(folder)
    for path in service.campaign.seed_files:
        import_file(service, path)
    expanded = service.steps.expand(None, lambda: None)
    service.ledger.add(expanded.records, datetime.now(UTC))
    data = training_data(
        service.pool,
        service.ledger.annotations(),
        service.campaign.scheme,
        constructed_weight=service.settings.classifier.constructed_weight,
    )
    rows = seed_rows(service.campaign.seed_files)
    hard = {row["text"] for _, row in rows if row.get("hard_negative")}
    data["hard_negative"] = data["text"].isin(hard)
    return service, data


def arm_rows(data: pd.DataFrame, arm: str) -> pd.Series:
    """Which rows an arm may train on."""
    seeds = data["source"] == LabelSource.SEED
    written = data["operation"].str.startswith(VERSION)
    return {"seeds": seeds, "versions": seeds | written, "expansion": seeds | ~seeds}[arm]


def cross_validate(service: Service, data: pd.DataFrame, arm: str, by: str) -> Any:
    """(probabilities, flags), (n, k) each, of every row by a model that saw none of its group."""
    scheme = service.campaign.scheme
    labels = data[columns(scheme.labels)].to_numpy(np.int8)
    groups = data[by].to_numpy(str)
    if arm == "random":
        rate = (labels[(data["source"] == LabelSource.SEED).to_numpy()] == 1).mean(axis=0)
        proba = np.random.default_rng(SEED).random(labels.shape)
        return 1 - proba, proba < rate
    usable = arm_rows(data, arm).to_numpy()
    fold_of = group_folds(labels, groups, FOLDS, SEED)
    proba, flags = np.zeros(labels.shape), np.zeros(labels.shape, bool)
    for fold in range(FOLDS):
        held_out = fold_of == fold
        recipe = service.steps.lookups.recipe
        classifier = create(Kind.CLASSIFIER, recipe.classifier, recipe.options)
        classifier.fit(
            training_set(data[usable & ~held_out], scheme.labels, scheme.multi), seed=SEED
        )
        proba[held_out] = classifier.predict_proba(data["text"][held_out].tolist())
        flags[held_out] = proba[held_out] >= classifier.thresholds
    return proba, flags


def measure(service: Service, data: pd.DataFrame, by: str) -> dict[str, Any]:
    """Every arm's figures under one grouping, and expansion's paired gain over each other arm."""
    scheme = service.campaign.scheme
    labels = data[columns(scheme.labels)].to_numpy(np.int8)
    seeds = (data["source"] == LabelSource.SEED).to_numpy()
    written = arm_rows(data, "versions").to_numpy()
    groups = data[by].to_numpy(str)
    hard = seeds & data["hard_negative"].to_numpy()
    figures: dict[str, Any] = {}
    flags_of = {}
    for arm in ARMS:
        proba, flags = cross_validate(service, data, arm, by)
        flags_of[arm] = flags
        report = evaluate(
            labels[seeds], proba[seeds], flags[seeds], groups[seeds], scheme.labels,
            multi=True, seed=SEED, min_positives=10,
        )  # fmt: skip
        flips = flip_consistency(
            data["family"][written].tolist(), labels[written], flags[written], seed=SEED
        )
        figures[arm] = {
            "report": report.as_dict(),
            "flip_consistency": flips.as_dict(),
            "hard_negatives": {"n": int(hard.sum()), "flagged": float(flags[hard].any(1).mean())},
        }
    figures["gain"] = {
        arm: compare(
            labels[seeds], flags_of[arm][seeds], flags_of["expansion"][seeds], groups[seeds],
            scheme.labels, multi=True, seed=SEED, min_positives=10,
        ).as_dict()
        for arm in ("seeds", "versions")
    }  # fmt: skip
    return figures


def show(results: dict[str, Any]) -> None:
    """Prints the figures in readable form."""
    for by in ("root", "group"):
        print(f"\ncross-validated by {'sector' if by == 'group' else by}")
        for arm in ARMS:
            figures = results[by][arm]
            labels = figures["report"]["labels"]
            print(
                f"  {arm:10} macro {_interval(figures['report']['macro'])}  "
                f"micro {_interval(figures['report']['micro'])}  "
                f"flips {_interval(figures['flip_consistency']['share'])}  "
                f"hard negatives flagged {figures['hard_negatives']['flagged']:.2f}"
            )
            cells = (f"{n} {_interval(c['f1'])} ({c['n']})" for n, c in labels.items())
            print("             " + "; ".join(cells))
        for arm, gain in results[by]["gain"].items():
            print(f"  expansion against {arm}: macro {_interval(gain['macro'])}")


def _interval(numbers: dict[str, float] | None) -> str:
    return str(Interval(**numbers)) if numbers else "—"


def main() -> None:
    """Runs both cross-validations."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--campaign", default="job_ads_it")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        service, data = load(arguments.campaign, Path(folder) / "workspace")
        results: dict[str, Any] = {
            "machine": f"{platform.machine()}, {platform.python_version()}",
            "rows": data["source"].value_counts().to_dict(),
            **{by: measure(service, data, by) for by in ("root", "group")},
        }
    if arguments.json:
        print(json.dumps(results))
    else:
        print(results["rows"])
        show(results)


if __name__ == "__main__":
    main()
