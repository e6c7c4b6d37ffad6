"""Runs are stored by a hash of everything that they depend on; reports are made from any runs."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from biasloop.domain.label import Scheme
from biasloop.errors import BiasloopError, ConfigError, DataError, UnknownName
from biasloop.simulate import grid as grid_module
from biasloop.simulate.gold import Gold, Texts
from biasloop.simulate.grid import Grid, run_grid, run_id
from biasloop.simulate.report import Report
from biasloop.simulate.run import Setup, SimulatedRun
from support.planted import rare_topics

SETUP = Setup("tfidf", {}, batch=10, budget=20)
GRID = Grid(rare_topics(), SETUP, ("auto",), seeds=2)


def test_random_always_runs_and_nothing_twice() -> None:
    assert replace(GRID, strategies=("random", "auto", "auto")).arms == ("auto", "random")
    assert replace(GRID, strategies=()).arms == ("random",)


def test_a_run_is_identified_by_everything_that_it_depends_on() -> None:
    others = [
        replace(GRID, setup=replace(SETUP, **change))
        for change in (
            {"batch": 5},
            {"budget": 30},
            {"noise": 0.1},
            {"options": {"strength": 2.0}},
        )
    ]
    part = GRID.gold.test
    flipped = Gold(GRID.gold.scheme, GRID.gold.pool, Texts(part.texts, 1 - part.labels))
    others.append(replace(GRID, gold=flipped))
    ids = [run_id(grid, "auto", 0) for grid in (GRID, *others)]
    ids += [run_id(GRID, "auto", 1), run_id(GRID, "random", 0)]
    assert len(set(ids)) == len(ids)
    same = replace(GRID, strategies=("auto", "breaking_ties"), seeds=9)
    assert run_id(same, "auto", 0) == ids[0]


@pytest.mark.parametrize(
    ("module", "matters"),
    [
        ("simulate/run.py", True),
        ("simulate/features.py", True),
        ("rounds/steps/candidates.py", True),  # imported by a step that a run uses
        ("domain/measure/resample.py", True),
        ("plugins/classifiers/head/head.py", True),  # imported by a plug-in
        ("cli/simulate.py", False),
        ("simulate/plots.py", False),
        ("rounds/loop.py", False),
    ],
)
def test_a_run_depends_on_the_modules_that_it_imports(
    module: str, matters: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "biasloop"
    shutil.copytree(grid_module.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(grid_module, "PACKAGE", copy)
    ids = []
    for addition in ("", "# changed\n"):
        with (copy / module).open("a") as file:
            file.write(addition)
        grid_module._code_hash.cache_clear()
        ids.append(run_id(GRID, "auto", 0))
    grid_module._code_hash.cache_clear()
    assert (ids[0] != ids[1]) == matters


@pytest.mark.parametrize(
    ("grid", "kind", "says"),
    [
        (replace(GRID, strategies=("nosuch",)), UnknownName, "no strategy is called 'nosuch'; kno"),
        (
            replace(GRID, setup=replace(SETUP, classifier="nosuch")),
            UnknownName,
            "no classifier is called 'nosuch'; known: ",
        ),
        (replace(GRID, setup=replace(SETUP, options={"a": 1})), ConfigError, "options of classi"),
        (replace(GRID, setup=replace(SETUP, budget=501)), DataError, "a budget of 501 labels is m"),
    ],
)
def test_what_cannot_be_run_is_refused_first(
    grid: Grid, kind: type[BiasloopError], says: str
) -> None:
    with pytest.raises(kind, match=says):
        grid.check()


def test_an_error_in_a_process_comes_out(tmp_path: Path) -> None:
    """A strategy for single-label schemes, in a multi-label one."""
    labels = np.tile(np.array([[1, 0], [0, 1]], np.int8), (20, 1))
    part = Texts(tuple(f"text {n}" for n in range(40)), labels)
    gold = Gold(Scheme(("a", "b"), multi=True), part, part)
    with pytest.raises(ConfigError, match="breaking_ties is for single-label schemes"):
        run_grid(Grid(gold, SETUP, ("breaking_ties",), 1), tmp_path, lambda _: None)


def report(multi: bool, metric: str | None = None, baseline: str | None = None) -> Report:
    """Of two runs per arm; the strategy is right from the second budget on, random never, and a
    baseline from the first on."""
    truth = np.tile(np.array([[1, 0], [0, 1]], np.int8), (10, 1))
    part = Texts(tuple(f"text {n}" for n in range(20)), truth)
    grid = Grid(Gold(Scheme(("a", "b"), multi), part, part), SETUP, ("auto",), 2)
    wrong, right = truth == 0, truth == 1
    asked = np.arange(20)
    runs = {
        "auto": [SimulatedRun(np.stack([wrong, right]), asked)] * 2,
        "random": [SimulatedRun(np.stack([wrong, wrong]), asked)] * 2,
    }
    compared = [SimulatedRun(np.stack([right, right]), asked)] * 2
    return Report.from_runs(grid, runs, metric, baseline and (baseline, compared))


def test_the_measure_that_counts() -> None:
    assert report(multi=False).metric == "accuracy"
    assert report(multi=True).metric == "macro_f1"
    assert report(multi=False, metric="macro_f1").metric == "macro_f1"


def test_a_report_for_scripts() -> None:
    figures = report(multi=False).as_dict()
    assert figures["labels_saved"]["auto"] == {"at": 20, "mean": 0.5, "low": 0.5, "high": 0.5}
    assert figures["labels_saved"]["random"] == {"at": 20, "mean": 0, "low": 0, "high": 0}
    assert figures["curves"]["auto"]["accuracy"]["mean"] == [0, 1]
    assert figures["curves"]["auto"]["area"] == {"mean": 0.5, "low": 0.5, "high": 0.5}


def test_labels_saved_are_also_compared_with_a_named_baseline() -> None:
    with_baseline = report(multi=False, baseline="terms")
    figures = with_baseline.as_dict()
    assert figures["labels_saved"] == report(multi=False).as_dict()["labels_saved"]
    assert report(multi=False).as_dict()["absolute"] is None
    assert figures["absolute"]["baseline"] == "terms"
    for metric in ("accuracy", "macro_f1"):
        saved = figures["absolute"][metric]
        assert saved.keys() == {"auto", "random"}
        assert saved["auto"] == {"at": 20, "mean": 0, "low": 0, "high": 0}  # only at the end
        assert saved["random"]["mean"] == -0.5  # the baseline is as good from the first budget on
    row = with_baseline.figures("auto")
    assert row["absolute"] is not None
    assert set(with_baseline.figures("terms")) == set(row)
    assert with_baseline.figures("terms")["absolute"] is None


def test_nothing_is_saved_compared_with_the_same_runs_under_another_name() -> None:
    """Also where a curve falls at its end, which would be reached before."""
    truth = np.tile(np.array([[1, 0], [0, 1]], np.int8), (10, 1))
    part = Texts(tuple(f"text {n}" for n in range(20)), truth)
    grid = Grid(Gold(Scheme(("a", "b"), False), part, part), SETUP, (), 2)
    right, nearly = truth == 1, truth == 1
    nearly[0] = ~nearly[0]
    runs = [SimulatedRun(np.stack([right, nearly]), np.arange(20))] * 2
    same = Report.from_runs(grid, {"random": runs}, baseline=("itself", runs))
    assert set(same.saved("random", against="itself")) == {0}


def test_the_rarest_label_of_the_test_texts_is_reported() -> None:
    truth = np.zeros((20, 3), np.int8)
    truth[:9, 0], truth[:3, 1] = 1, 1  # the third label is in the pool only
    part = Texts(tuple(f"text {n}" for n in range(20)), truth)
    grid = Grid(Gold(Scheme(("a", "b", "c"), True), part, part), SETUP, (), 1)
    runs = {"random": [SimulatedRun(np.stack([truth == 1, truth == 1]), np.arange(20))]}
    rare = Report.from_runs(grid, runs)
    assert rare.as_dict()["rarest_label"] == "b"
    assert rare.as_dict()["curves"]["random"]["rarest_f1"]["mean"] == 1
    assert str(rare.figures("random")["F1 of b"]) == "1.00 [1.00, 1.00]"
