"""Whatever a report holds, what scripts read is JSON: a figure that is no number is null."""

import json
import math
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.cli import context
from biasloop.domain.measure.curve import METRICS, Curves
from biasloop.domain.measure.resample import Interval
from biasloop.reports.curve import CurvePoint
from biasloop.reports.status import Budget, EvaluationReport, PaceReport
from biasloop.simulate.report import Report

FIGURES = st.floats() | st.floats(width=32).map(np.float32) | st.floats().map(np.float64)
TEXTS = st.text(st.characters())  # also half a surrogate pair
FACTS = st.recursive(
    st.none() | st.booleans() | st.integers() | FIGURES | TEXTS | st.datetimes(),
    lambda below: (
        st.lists(below, max_size=4)
        | st.tuples(below, below)
        | st.dictionaries(st.text(), below, max_size=4)
    ),
    max_leaves=20,
)
INTERVALS = st.builds(Interval, FIGURES, FIGURES, FIGURES)
MEASURES = st.none() | INTERVALS
CELLS = st.dictionaries(st.text(), FACTS, max_size=4)
NUMBERS, NAMES = st.integers(), st.text()
REPORTS = st.one_of(
    INTERVALS,
    st.builds(Budget, NUMBERS, NUMBERS),
    st.builds(PaceReport, FIGURES, FIGURES),
    st.builds(CurvePoint, NUMBERS, NAMES, NUMBERS, NUMBERS, MEASURES, MEASURES, CELLS),
    st.builds(EvaluationReport, NUMBERS, NAMES, NAMES, CELLS),
)


def read_strictly(text: str) -> Any:
    """What a reader of JSON accepts that knows no NaN, as that of JavaScript."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def printed(value: Any) -> str:
    lines: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context.typer, "echo", lines.append)
        context.print_json(value)
    return "\n".join(lines)


@given(FACTS | REPORTS.map(asdict))
def test_what_a_command_prints_is_json(value: Any) -> None:
    read_strictly(printed(value).encode().decode())


def test_a_number_stays_a_number_and_no_number_is_null() -> None:
    value = {"low": math.nan, "high": -math.inf, "n": np.int64(3), "f1": np.float32(0.5)}
    assert read_strictly(printed(value)) == {"low": None, "high": None, "n": 3, "f1": 0.5}


def test_what_numpy_holds_is_what_it_says() -> None:
    value = {"flagged": np.bool_(False), "p": np.array([[0.5, math.nan]]), "name": np.str_("a")}
    assert read_strictly(printed(value)) == {"flagged": False, "p": [[0.5, None]], "name": "a"}


@pytest.mark.filterwarnings("ignore:All-NaN slice encountered")
def test_a_simulation_without_a_figure_prints_null() -> None:
    undefined = np.full((3, 2, 2), np.nan)
    curves = Curves(accuracy=np.full((3, 2), 0.5), f1=undefined)
    report = Report(np.array([10, 20]), "accuracy", {"random": curves}, ("a", "b"), 0)
    shown = read_strictly(printed(report.as_dict()))
    nothing = [None, None]
    assert shown["curves"]["random"]["macro_f1"] == {
        "mean": nothing, "low": nothing, "high": nothing
    }  # fmt: skip
    assert set(METRICS) <= set(shown["curves"]["random"])
