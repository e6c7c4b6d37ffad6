"""How good a model is on 900 sentences of real Italian ads, drawn with known chances.

    python -m benchmarks.real_sentences [--classifier tfidf] [--options JSON] [--learn] [--sealed]

Trains on the campaign's seeds, with --learn also on the 600 sentences to learn from, and reports on
these (out of fold, by ad), or with --sealed on the other 300. **Those are for one last measurement:
nothing is ever chosen on them.** real_sentences.jsonl names the sentences by ad, offsets and hash;
their texts are in ../shared/data/ads_it. Two language models labelled them, each alone, to the
guideline; a third settled what differed. They are no human gold.
"""

import argparse
import json
import platform
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.seeds import SEED, arm_rows, load
from biasloop.domain.item import text_hash
from biasloop.domain.label import LabelSource
from biasloop.domain.learning import TrainingSet
from biasloop.domain.measure.resample import RESAMPLES, Interval, Roots, percentile_interval
from biasloop.plugins.classifiers.head.folds import group_folds
from biasloop.plugins.registry import Kind, create
from biasloop.rounds.steps.train.data import training_set

ADS = Path(__file__).parents[2] / "shared" / "data" / "ads_it"
LABELLED = Path(__file__).with_name("real_sentences.jsonl")
FOLDS = 5
Array = NDArray[np.float64]


def sentences(part: str) -> list[dict[str, Any]]:
    """The labelled sentences of a part, with their texts. Ends if the ads are not there."""
    if not ADS.is_dir():
        raise SystemExit(f"the data of this benchmark is not there: {ADS}")
    # Not splitlines: an ad may contain other separators of lines.
    files = (file.read_text("utf-8").split("\n") for file in ADS.glob("*.jsonl"))
    lines = [line for file in files for line in file if line]
    texts = {ad["ad_id"]: ad["text"] for ad in map(json.loads, lines)}
    rows = [json.loads(line) for line in LABELLED.read_text("utf-8").splitlines()]
    for row in rows:
        row["text"] = texts[row["ad"]][row["start"] : row["end"]]
        if text_hash(row["text"]) != row["text_hash"]:
            raise SystemExit(f"the ad {row['ad']} is not the one that was labelled")
    return [row for row in rows if row["part"] == part]


def as_labels(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> NDArray[np.int8]:
    """(n, k), 0 or 1."""
    return np.array([[name in row["labels"] for name in names] for row in rows], np.int8)


def join(seeds: TrainingSet, rows: Sequence[dict[str, Any]]) -> TrainingSet:
    """The seeds together with labelled sentences."""
    return replace(
        seeds,
        texts=[*seeds.texts, *(row["text"] for row in rows)],
        labels=np.vstack([seeds.labels, as_labels(rows, seeds.label_names)]),
        weights=np.append(seeds.weights, np.ones(len(rows), np.float32)),
        roots=np.append(seeds.roots, [row["ad"] for row in rows]),
        sources=[*seeds.sources, *[LabelSource.HUMAN] * len(rows)],
    )


def figures(truth: Array, flags: Array, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """F1, precision and recall of a label on the sentences as drawn ("enriched") and on what they
    were drawn from ("weighted" by 1 / chance), resampled by ad."""
    chances = np.array([row["chance"] for row in rows])
    cells: dict[str, Any] = {"n": int(truth.sum())}
    for name, weights in (("enriched", np.ones(len(rows))), ("weighted", 1 / chances)):
        counts = np.stack([truth * flags, flags, truth], axis=1) * weights[:, None]
        roots = Roots.from_names([row["ad"] for row in rows])
        by_ad = roots.sums(counts)
        sums = np.vstack([draws @ by_ad for draws in roots.draws(SEED, RESAMPLES)])
        hit, flagged, positive = sums.T
        with np.errstate(invalid="ignore", divide="ignore"):
            measures = {
                "f1": 2 * hit / (flagged + positive),
                "precision": hit / flagged,
                "recall": hit / positive,
            }
        cells[name] = {key: percentile_interval(value) for key, value in measures.items()}
    return cells


def measure(classifier: str, options: dict[str, Any], *, learn: bool, sealed: bool) -> Any:
    """The figures of every label that at least five sentences have."""
    with tempfile.TemporaryDirectory() as folder:
        service, data = load("job_ads_it", Path(folder) / "w")
        scheme = service.campaign.scheme
        recipe = service.steps.lookups.recipe
        seeds = training_set(data[arm_rows(data, "expansion")], scheme.labels, scheme.multi)
        language = {"language": recipe.linear["language"]} if recipe.linear else {}

        def flag(training: TrainingSet, texts: list[str]) -> Any:
            model = create(Kind.CLASSIFIER, classifier, language | options)
            model.fit(training, seed=SEED)
            return model.predict_proba(texts) >= model.thresholds

        known, judged = sentences("learn"), sentences("sealed" if sealed else "learn")
        texts = [row["text"] for row in judged]
        truth = as_labels(judged, scheme.labels)
        flags = np.zeros(truth.shape, bool)
        if sealed or not learn:
            flags = flag(join(seeds, known) if learn else seeds, texts)
        else:
            ads = np.array([row["ad"] for row in judged])
            fold_of = group_folds(truth, ads, FOLDS, SEED)
            for fold in range(FOLDS):
                others = [row for row, f in zip(known, fold_of, strict=True) if f != fold]
                rows = np.flatnonzero(fold_of == fold)
                flags[rows] = flag(join(seeds, others), [texts[row] for row in rows])
    return {
        name: figures(truth[:, j].astype(float), flags[:, j].astype(float), judged)
        for j, name in enumerate(scheme.labels)
        if truth[:, j].sum() >= FOLDS
    }


def main() -> None:
    """Prints a line per label."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--classifier", default="tfidf")
    parser.add_argument("--options", type=json.loads, default={}, help="of the classifier, JSON")
    parser.add_argument("--learn", action="store_true", help="train on the 600 sentences, too")
    parser.add_argument("--sealed", action="store_true", help="report on the 300; once, at the end")
    arguments = parser.parse_args()
    print(f"{platform.machine()}, {arguments.classifier} {arguments.options}")
    cells = measure(
        arguments.classifier, arguments.options, learn=arguments.learn, sealed=arguments.sealed
    )
    for name, cell in cells.items():
        for kind in ("enriched", "weighted"):
            shown = "  ".join(f"{key} {_text(value)}" for key, value in cell[kind].items())
            print(f"{name:14} ({cell['n']}) {kind:9} {shown}")


def _text(interval: Interval | None) -> str:
    return str(interval) if interval else "-"


if __name__ == "__main__":
    main()
