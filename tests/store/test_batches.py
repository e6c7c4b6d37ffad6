"""Contract of the batches in the ledger, on SQLite and PostgreSQL."""

from datetime import UTC, datetime

import numpy as np
import pytest

from biasloop.domain.batch import Arm, Selection
from biasloop.domain.measure.design import Draw
from biasloop.domain.round import Done, State
from biasloop.domain.task import PushedTask
from biasloop.store.ledger import Ledger
from support.annotations import vote

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def add_round(ledger: Ledger, number: int, *items: str) -> None:
    """A round with a batch of these items, and their tasks."""
    assert ledger.rounds.open({}, NOW) is not None
    batch = [Selection(item, n, Arm.ACQUISITION, None, n) for n, item in enumerate(items)]
    ledger.add(batch, NOW, number)
    ledger.add([PushedTask(item, n) for n, item in enumerate(items)], NOW, number)


def test_items_of_cancelled_rounds_are_not_counted(ledger: Ledger) -> None:
    assert ledger.batches.count_items() == 0
    add_round(ledger, 0, "a", "b")
    assert ledger.batches.count_items() == 2
    ledger.rounds.cancel(0, "", NOW)
    assert ledger.batches.count_items() == 0
    add_round(ledger, 1, "b", "c", "d")
    assert ledger.batches.count_items() == 3
    assert ledger.batches.count_items() == len({s.item_id for _, s in ledger.live_selections()})


def test_a_batch_has_the_tasks_and_annotations_of_its_items(ledger: Ledger) -> None:
    add_round(ledger, 0, "a", "b")
    ledger.rounds.cancel(0, "", NOW)
    add_round(ledger, 1, "b", "c", "d")
    ledger.add([PushedTask("b", 9)], NOW)  # its task came back
    ledger.record([vote(item, "age") for item in ("a", "b", "d")])
    ledger.record([vote("d", "gender")])  # a newer version
    assert ledger.batches.items_with_task(1) == {"b", "c", "d"}
    assert [(a.item_id, a.labels) for a in ledger.batches.annotations(1)] == [
        ("b", ("age",)),
        ("d", ("gender",)),
    ]
    ledger.record_takedown("ad", ["c"], NOW)
    assert ledger.batches.items_with_task(1) == {"b", "d"}
    assert ledger.batches.items_with_task(7) == set()


def test_live_rounds_and_the_sequence_of_events(ledger: Ledger) -> None:
    assert ledger.rounds.live() == ()
    sequences = [ledger.control.sequence()]
    add_round(ledger, 0, "a")
    sequences.append(ledger.control.sequence())
    assert [round_.id for round_ in ledger.rounds.live()] == [0]
    claim = ledger.rounds.claim(NOW, "me", NOW)
    assert claim is not None
    ledger.rounds.commit(claim, Done(), NOW)
    sequences.append(ledger.control.sequence())
    assert [round_.state for round_ in ledger.rounds.live()] == [State.EXPANDED]
    ledger.rounds.cancel(0, "", NOW)
    sequences.append(ledger.control.sequence())
    assert ledger.rounds.live() == ()
    assert sequences[0] == 0
    assert sequences == sorted(set(sequences))  # every change of a round is an event


def test_random_draws_are_kept_without_those_of_cancelled_rounds(ledger: Ledger) -> None:
    assert ledger.batches.first_draw() is None
    chances = np.random.default_rng(0).random(5000)
    for number in range(3):
        add_round(ledger, number, f"item {number}")
        rows = np.arange(5000)
        audit = Draw.from_frame(Arm.AUDIT, rows, chances, np.array([4000, 7]))
        train = Draw.from_frame(Arm.RANDOM_TRAIN, rows[:2], chances[:2], np.array([], np.int64))
        ledger.add([audit, *([train] if number else [])], NOW, number)
        ledger.rounds.cancel(number, "", NOW) if number == 1 else close(ledger)
    assert ledger.batches.first_draw() == 0
    first, last = ledger.batches.draws(Arm.AUDIT)
    assert first.hits == last.hits == (7, 4000)
    assert first.chances == pytest.approx(chances, rel=1e-6)
    (train,) = ledger.batches.draws(Arm.RANDOM_TRAIN)
    assert train.hits == ()
    assert len(train.chances) == 2


def close(ledger: Ledger) -> None:
    """Goes on with the open round to its end."""
    while claim := ledger.rounds.claim(NOW, "me", NOW):
        ledger.rounds.commit(claim, Done(), NOW)


def test_answers_that_came_with_an_import(ledger: Ledger) -> None:
    ledger.record([vote("asked", "age", task_id=3), vote("imported", "age")])
    assert ledger.batches.imported_answers() == {"imported"}
