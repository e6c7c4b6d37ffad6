"""The low-water mark: what annotators label while the next batch is made, within bounds."""

from datetime import UTC, datetime
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.low_water import (
    RECENT,
    Lead,
    LowWater,
    low_water_mark,
    usual_lead,
    usual_minutes,
)
from biasloop.domain.round import Round, State

NOW = datetime(2026, 3, 1, tzinfo=UTC)
counts = st.integers(0, 500)
rates = st.none() | st.floats(0, 1000)


def rounds(*facts: dict[str, Any]) -> list[Round]:
    return [Round(n, State.CLOSED, values, NOW) for n, values in enumerate(facts)]


@pytest.mark.parametrize(
    ("pace", "minutes", "mark"),
    [
        (None, 10.0, 10),
        (2.0, None, 10),
        (2.0, 4.9, 10),  # the setting is more
        (2.0, 10.0, 20),
        (2.01, 10.0, 21),
        (9.0, 10.0, 50),  # half of the batch
    ],
)
def test_the_mark_is_what_is_labelled_while_a_batch_is_made(
    pace: float | None, minutes: float | None, mark: int
) -> None:
    lead = Lead(pace, minutes)
    assert low_water_mark(100, 2, 5, lead) == LowWater(mark, lead)


def test_with_the_setting_0_every_task_is_waited_for() -> None:
    assert low_water_mark(100, 2, 0, Lead(2.0, 10.0)) == LowWater(0, Lead())


@given(counts, st.integers(0, 30), st.integers(1, 50), rates, rates)
def test_the_mark_never_leaves_its_bounds(
    tasks: int, annotators: int, setting: int, pace: float | None, minutes: float | None
) -> None:
    before = low_water_mark(tasks, annotators, setting, Lead()).mark
    mark = low_water_mark(tasks, annotators, setting, Lead(pace, minutes)).mark
    assert before <= mark <= max(before, tasks // 2)
    assert mark < max(1, tasks)


@given(counts, st.integers(0, 30), st.integers(0, 50), *[st.floats(0, 100)] * 3)
def test_more_time_to_make_a_batch_never_lowers_the_mark(
    tasks: int, annotators: int, setting: int, pace: float, minutes: float, more: float
) -> None:
    marks = [
        low_water_mark(tasks, annotators, setting, Lead(pace, time)).mark
        for time in (minutes, minutes + more)
    ]
    assert marks == sorted(marks)


def test_before_anything_is_measured_nothing_is_usual() -> None:
    old = rounds({"pushed": 5, "annotated": 3, "left_open": 2})  # of an earlier version
    assert usual_lead(old, None) == Lead()
    assert usual_lead([], 2.0) == Lead(2.0, None)


def test_one_strange_round_changes_nothing() -> None:
    usual: list[dict[str, Any]] = [{"labels_per_minute": 2.0, "preparation_minutes": 3.0}] * 3
    strange = {"labels_per_minute": 500.0, "preparation_minutes": 900.0}
    assert usual_lead(rounds(*usual, strange), 2.0) == Lead(2.0, 3.0)


@given(st.lists(st.floats(0, 1e6), max_size=20))
def test_only_the_last_rounds_count(earlier: list[float]) -> None:
    facts = [{"labels_per_minute": value, "preparation_minutes": value} for value in earlier]
    last = [{"labels_per_minute": 2.0, "preparation_minutes": 3.0}] * RECENT
    assert usual_lead(rounds(*facts, *last), None) == Lead(2.0, 3.0)


def test_rounds_without_a_model_say_little_about_those_with_one() -> None:
    quick = {"preparation_minutes": 0.1, "scored_with": None}
    slow = {"preparation_minutes": 12.0, "scored_with": "r0000"}
    assert usual_minutes(rounds(quick, quick)) == 0.1
    assert usual_minutes(rounds(quick, quick, slow)) == 12.0


@given(st.lists(st.none() | st.floats(0, 1e6), max_size=12))
def test_what_is_usual_has_been_measured_about_so(paces: list[float | None]) -> None:
    lead = usual_lead(rounds(*({"labels_per_minute": pace} for pace in paces)), None)
    known = [pace for pace in paces if pace is not None]
    if lead.labels_per_minute is None:
        assert not known
    else:
        assert min(known, default=inf) - 0.001 <= lead.labels_per_minute <= max(known) + 0.001


def test_the_lead_rounds_up() -> None:
    assert Lead(0.3, 2.0).labels == 1
    assert Lead(0.0, 2.0).labels == 0
    assert Lead(3.0, 20.0).labels == 60
