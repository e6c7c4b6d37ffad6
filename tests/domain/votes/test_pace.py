"""How long annotators take; tabs left open must not distort it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.annotation import Annotation
from biasloop.domain.votes.pace import MAX_TIMES_MEDIAN, longest_counted_time, measure_pace
from support.annotations import vote


def annotations_with_times(*seconds: float | None) -> list[Annotation]:
    return [vote(f"item {n}", "age", seconds=value) for n, value in enumerate(seconds)]


def test_an_open_tab_changes_little() -> None:
    pace = measure_pace(annotations_with_times(10, 20, 30, None, 0, 28_800))
    assert pace is not None
    assert pace.per_item == 25
    assert pace.total == 10 + 20 + 30 + MAX_TIMES_MEDIAN * 25
    assert pace.hours_for(144) == pytest.approx(1)


def test_without_times_there_is_no_pace() -> None:
    assert measure_pace([]) is None
    assert measure_pace(annotations_with_times(None, 0)) is None


def test_one_annotator_is_limited_by_the_times_of_all() -> None:
    all_annotations = annotations_with_times(10, 10, 10, 9_000)
    open_tab = measure_pace(all_annotations[3:], longest_counted_time(all_annotations))
    assert open_tab is not None
    assert open_tab.per_item == 100


@given(st.lists(st.floats(1, 100), min_size=3), st.floats(1e3, 1e9))
def test_an_open_tab_adds_at_most_the_longest_counted_time(times: list[float], tab: float) -> None:
    without, with_tab = (
        measure_pace(annotations_with_times(*times)),
        measure_pace(annotations_with_times(*times, tab)),
    )
    assert without is not None
    assert with_tab is not None
    assert with_tab.per_item <= 100
    assert with_tab.total <= sum(times) + MAX_TIMES_MEDIAN * 100
