"""How long people take; tabs left open must not count."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.annotation import Annotation
from biasloop.domain.votes.pace import MAX_TIMES_MEDIAN, longest_counted_time, measure_pace
from support.annotations import vote


def took(*seconds: float | None) -> list[Annotation]:
    return [vote(f"item {n}", "age", seconds=value) for n, value in enumerate(seconds)]


def test_an_answer_left_lying_changes_little() -> None:
    found = measure_pace(took(10, 20, 30, None, 0, 28_800))
    assert found is not None
    assert found.per_item == 25
    assert found.total == 10 + 20 + 30 + MAX_TIMES_MEDIAN * 25
    assert found.hours_for(144) == pytest.approx(1)


def test_without_times_there_is_no_pace() -> None:
    assert measure_pace([]) is None
    assert measure_pace(took(None, 0)) is None


def test_one_person_is_judged_by_everybody() -> None:
    everybody = took(10, 10, 10, 9_000)
    left_lying = measure_pace(everybody[3:], longest_counted_time(everybody))
    assert left_lying is not None
    assert left_lying.per_item == 100


@given(st.lists(st.floats(1, 100), min_size=3), st.floats(1e3, 1e9))
def test_the_longest_answer_bounds_what_one_open_tab_adds(times: list[float], tab: float) -> None:
    without, with_tab = measure_pace(took(*times)), measure_pace(took(*times, tab))
    assert without is not None
    assert with_tab is not None
    assert with_tab.per_item <= 100
    assert with_tab.total <= sum(times) + MAX_TIMES_MEDIAN * 100
