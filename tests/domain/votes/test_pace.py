"""How long annotators take; neither tabs left open nor pauses must distort it."""

from datetime import UTC, datetime, timedelta
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.votes.pace import (
    MAX_TIMES_MEDIAN,
    MIN_GAPS,
    labels_per_minute,
    longest_counted_time,
    measure_pace,
    moments_answered,
)
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


# --- labels a minute ------------------------------------------------------------------------------

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
gaps = st.lists(st.floats(1, 60), min_size=MIN_GAPS, max_size=40)


def moments(seconds: list[float]) -> list[datetime]:
    """Moments with these seconds between one and the next."""
    return [START + timedelta(seconds=s) for s in accumulate(seconds, initial=0.0)]


def test_labels_a_minute_are_those_of_all_annotators_together() -> None:
    assert labels_per_minute(moments([20.0] * 9)) == 3
    other = [moment + timedelta(seconds=10) for moment in moments([20.0] * 9)]
    assert labels_per_minute(moments([20.0] * 9) + other) == 6


def test_a_night_and_a_coffee_are_no_work() -> None:
    day = [20.0] * 10
    assert labels_per_minute(moments([*day, 14 * 3600.0, *day, 600.0, *day])) == 3


def test_too_few_answers_or_all_at_once_say_nothing() -> None:
    assert labels_per_minute([]) is None
    assert labels_per_minute(moments([20.0] * (MIN_GAPS - 1))) is None
    assert labels_per_minute([START] * 20) is None


@given(gaps, st.data())
def test_the_order_of_the_answers_and_one_pause_change_nothing(
    seconds: list[float], data: st.DataObject
) -> None:
    pace = labels_per_minute(moments(seconds))
    shuffled = data.draw(st.permutations(moments(seconds)))
    assert labels_per_minute(shuffled) == pace
    if pace is not None and max(seconds) < 10 * min(seconds):  # no gap is a pause
        assert labels_per_minute(moments([*seconds, 1e6])) == pace
        assert 60 / max(seconds) - 0.01 <= pace <= 60 / min(seconds) + 0.01


def test_an_item_is_answered_with_the_last_vote_that_it_needs() -> None:
    def at(minute: int) -> datetime:
        return START + timedelta(minutes=minute)

    votes = [
        vote("a", "age", annotator="anna", at=at(1)),
        vote("a", "age", annotator="ben", at=at(5)),
        vote("a", "age", annotator="carla", at=at(9)),
        vote("b", "age", annotator="anna", at=at(2)),
        vote("c", annotator="anna", at=at(3), standing=Standing.SKIP),
        vote("c", "age", annotator="ben", at=at(0), standing=Standing.DELETED),
        vote("d", "age", annotator="anna", at=at(4)),
    ]
    assert moments_answered(votes, {"a", "b", "c"}, 2) == [at(5), at(2), at(3)]
    assert moments_answered(votes, {"a", "b", "c"}, 1) == [at(1), at(2), at(3)]
