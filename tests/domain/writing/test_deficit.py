"""Planning which cells are filled next."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.writing.deficit import Axes, label_errors, plan_cells
from biasloop.domain.writing.synthesis import Cell, cell_of

LABELS = ("age", "gender", "origin")
AXES = Axes(("bar", "shop", "farm"), ("formal", "chatty"), {"gender": ("he", "she")})

labels = st.sampled_from(LABELS)
cells = st.builds(
    Cell, labels, st.sampled_from(("", *AXES.sectors)), st.sampled_from(("", *AXES.registers))
)
errors = st.fixed_dictionaries({name: st.floats(0.01, 1) for name in LABELS})


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@given(st.lists(cells, max_size=40), errors, st.integers(0, 60))
def test_n_cells_are_planned_within_the_axes(existing, errors, n) -> None:
    planned = plan_cells(existing, errors, AXES, n, rng())
    assert len(planned) == n
    for cell in planned:
        assert cell.label in errors
        assert cell.sector in AXES.sectors
        assert cell.register in AXES.registers
        assert cell.form in AXES.forms.get(cell.label, ("",))


@given(st.lists(cells, max_size=40), errors, st.integers(1, 60))
def test_no_other_label_has_a_greater_deficit(existing, errors, n) -> None:
    planned = plan_cells(existing, errors, AXES, n, rng())
    counts = Counter(cell.label for cell in (*existing, *planned))
    for label in {cell.label for cell in planned}:
        assert all(errors[label] / counts[label] >= errors[x] / (counts[x] + 1) for x in LABELS)


@given(st.lists(cells, max_size=40), errors, st.integers(0, 60))
def test_axes_are_filled_evenly_within_a_label(existing, errors, n) -> None:
    planned = plan_cells(existing, errors, AXES, n, rng())
    for label in LABELS:
        before = Counter(cell.sector for cell in existing if cell.label == label)
        added = Counter(cell.sector for cell in planned if cell.label == label)
        totals = [before[s] + added[s] for s in AXES.sectors if added[s]]
        if totals:
            assert max(totals) <= min(before[s] + added[s] for s in AXES.sectors) + 1


def test_rare_labels_with_large_errors_come_first() -> None:
    existing = [Cell("age")] * 9 + [Cell("gender")] * 3 + [Cell("origin")] * 3
    planned = plan_cells(existing, {"age": 1.0, "gender": 0.2, "origin": 1.0}, Axes(), 6, rng())
    assert Counter(cell.label for cell in planned) == {"origin": 6}


def test_a_campaign_without_cells_has_labels_only() -> None:
    assert plan_cells([], {"age": 1.0}, Axes(), 2, rng()) == [Cell("age")] * 2
    assert plan_cells([], {}, Axes(), 2, rng()) == []


def test_labels_without_a_measurement_have_error_one() -> None:
    measured = {"age": {"f1": {"value": 0.75}}, "gender": {"f1": None}, "gone": {"f1": None}}
    assert label_errors(LABELS, measured) == {"age": 0.25, "gender": 1.0, "origin": 1.0}
    assert label_errors(LABELS, None) == dict.fromkeys(LABELS, 1.0)


@given(cells, st.sampled_from(["write", "add"]))
def test_an_operation_contains_its_cell(cell, kind) -> None:
    assert cell_of(f"llm:{kind}:{cell}@1a2b3c4d") == cell
    assert cell_of(f"gender:{kind}@12") is None
