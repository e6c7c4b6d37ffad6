"""The poll's decision: what the ledger must append to say what Label Studio says."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import AsideReason, LabelSource, Scheme
from biasloop.domain.round import Done, State, Wait
from biasloop.errors import LabelStudioDown
from biasloop.labelstudio.config import LabelConfig
from biasloop.poll import CHUNK, CURSOR, OVERLAP, changes, poll, read_annotation
from biasloop.ports import RawAnnotation, TaskState
from biasloop.store.ledger import Ledger

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SCHEME = Scheme(("age", "gender"), multi=True, none_label="inclusive")
CONFIG = LabelConfig(SCHEME, choices="label", text="text", value="text", context=None)
SPAN = {"type": "labels", "from_name": "span", "value": {"start": 0, "end": 3, "labels": ["age"]}}
POLICY = "p" * 12


def choices(*labels: str) -> dict[str, Any]:
    return {"type": "choices", "from_name": "label", "value": {"choices": list(labels)}}


def raw(number: int, *result: dict[str, Any], task: int = 1, **facts: Any) -> RawAnnotation:
    made = RawAnnotation(
        id=number,
        task_id=task,
        item_id=f"item {task}",
        annotator="anna@example.org",
        skipped=False,
        result=result,
        updated_at=NOW,
        seconds=3.5,
    )
    return replace(made, **facts)


def task(*annotations: RawAnnotation, number: int = 1, at: datetime = NOW) -> TaskState:
    return TaskState(number, f"item {number}", at, annotations)


def news(
    tasks: Sequence[TaskState], known: Sequence[Annotation] = (), policy: str = POLICY
) -> list[Annotation]:
    return changes(tasks, known, CONFIG, policy)


# --- one annotation -------------------------------------------------------------------------------


def test_an_annotation_becomes_a_fact() -> None:
    found = read_annotation(raw(17, choices("age", "gender"), SPAN), CONFIG, POLICY)
    assert found == Annotation(
        key="ls:17",
        item_id="item 1",
        source=LabelSource.HUMAN,
        standing=Standing.VOTE,
        labels=("age", "gender"),
        asked=("age", "gender"),
        policy_id=POLICY,
        annotator="anna@example.org",
        at=NOW,
        seconds=3.5,
        task_id=1,
        extra={"result": [SPAN]},  # other controls verbatim
    )


@pytest.mark.parametrize(
    ("result", "skipped", "standing", "reason"),
    [
        ([choices("inclusive")], False, Standing.VOTE, ""),
        ([choices("age")], True, Standing.SKIP, ""),
        ([], True, Standing.SKIP, ""),
        ([], False, Standing.ASIDE, AsideReason.EMPTY),
        ([SPAN], False, Standing.ASIDE, AsideReason.EMPTY),
        ([choices("inclusive", "age")], False, Standing.ASIDE, AsideReason.CONTRADICTORY),
        ([choices("height")], False, Standing.ASIDE, AsideReason.UNKNOWN_LABEL),
    ],
)
def test_what_does_not_count_has_its_reason(
    result: list[dict[str, Any]], skipped: bool, standing: Standing, reason: str
) -> None:
    found = read_annotation(raw(1, *result, skipped=skipped), CONFIG, POLICY)
    assert (found.standing, found.reason) == (standing, reason)


# --- what changed ---------------------------------------------------------------------------------


def test_a_changed_annotation_is_a_new_version_under_the_guideline_of_now() -> None:
    known = news([task(raw(1, choices("age")))], policy="old")
    assert news([task(raw(1, choices("age"), updated_at=NOW + SECOND))], known, "new") == []
    (changed,) = news([task(raw(1, choices("gender")))], known, "new")
    assert (changed.key, changed.labels, changed.policy_id) == ("ls:1", ("gender",), "new")


def test_a_deleted_annotation_is_deleted_once_and_stays_so() -> None:
    known = news([task(raw(1, choices("age")), raw(2, choices("gender")))])
    later = task(raw(2, choices("gender")), at=NOW + SECOND)
    (deleted,) = news([later], known)
    assert (deleted.key, deleted.standing) == ("ls:1", Standing.DELETED)
    assert (deleted.labels, deleted.at) == ((), NOW + SECOND)
    assert (deleted.item_id, deleted.task_id) == ("item 1", 1)
    assert deleted.annotator == "anna@example.org"
    assert news([later], [deleted, known[1]]) == []


def test_only_tasks_that_were_looked_at_lose_annotations() -> None:
    known = news([task(raw(1, choices("age"))), task(raw(2, choices("age"), task=2), number=2)])
    assert [a.key for a in news([task()], known)] == ["ls:1"]
    imported = replace(known[1], key="human:item 2", task_id=None)
    assert news([task(number=2)], [imported]) == []


def test_somebody_elses_tasks_are_left_alone() -> None:
    foreign = TaskState(9, "", NOW, (raw(1, choices("age"), task=9, item_id=""),))
    assert news([foreign]) == []


results = st.sampled_from(
    [(), (SPAN,), (choices("age"),), (choices("age", "gender"), SPAN), (choices("inclusive"),)]
)
annotations = st.builds(
    lambda number, result, **facts: raw(number, *result, **facts),
    st.integers(0, 4),
    results,
    skipped=st.booleans(),
    annotator=st.sampled_from(["anna@example.org", "bea@example.org"]),
)
states = st.lists(annotations, max_size=4, unique_by=lambda a: a.id).map(lambda a: task(*a))


@given(st.lists(states, min_size=1, max_size=5))
def test_afterwards_the_ledger_says_what_label_studio_says(history: list[TaskState]) -> None:
    current: dict[str, Annotation] = {}
    for state in history:
        appended = news([state], list(current.values()))
        assert len({a.key for a in appended}) == len(appended)
        current |= {a.key: a for a in appended}
        said = {a.key: a for a in current.values() if a.standing is not Standing.DELETED}
        assert set(said) == {f"ls:{a.id}" for a in state.annotations}
        for there in state.annotations:
            assert said[f"ls:{there.id}"].says_same(read_annotation(there, CONFIG, POLICY))
        assert news([state], list(current.values())) == []


# --- the whole poll, on a real ledger -------------------------------------------------------------


class Answers:
    """The one method of Label Studio that the poll calls; tasks come in order of their change."""

    def __init__(self) -> None:
        self.tasks: list[TaskState] = []
        self.asked: list[datetime | None] = []
        self.dies_after: int | None = None

    def changed_since(self, moment: datetime | None) -> Iterator[TaskState]:
        self.asked.append(moment)
        for number, state in enumerate(self.tasks):
            if number == self.dies_after:
                raise LabelStudioDown("gone")
            if moment is None or state.updated_at >= moment:
                yield state


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    made.migrate()
    yield made
    made.close()


def once(ledger: Ledger, answers: Answers) -> int:
    return poll(ledger, answers, CONFIG, POLICY)  # type: ignore[arg-type]


def test_a_poll_goes_on_where_the_last_one_ended(ledger: Ledger) -> None:
    answers = Answers()
    assert once(ledger, answers) == 0
    answers.tasks = [task(raw(1, choices("age")))]
    assert once(ledger, answers) == 1
    assert once(ledger, answers) == 0
    later = NOW + timedelta(hours=1)
    answers.tasks.append(task(raw(2, choices("age"), task=2), number=2, at=later))
    assert once(ledger, answers) == 1
    once(ledger, answers)
    assert answers.asked == [None, None, NOW - OVERLAP, NOW - OVERLAP, later - OVERLAP]
    assert [a.key for a in ledger.annotations()] == ["ls:1", "ls:2"]


def test_a_poll_that_breaks_off_keeps_what_it_had_and_asks_for_it_again(ledger: Ledger) -> None:
    answers = Answers()
    answers.tasks = [
        task(raw(n, choices("age"), task=n), number=n, at=NOW + n * SECOND)
        for n in range(CHUNK + 2)
    ]
    answers.dies_after = CHUNK + 1
    with pytest.raises(LabelStudioDown):
        once(ledger, answers)
    assert len(ledger.annotations()) == CHUNK
    assert ledger.bookmark(CURSOR) is None
    answers.dies_after = None
    assert once(ledger, answers) == 2


def test_news_wake_the_round_that_waits_for_people(ledger: Ledger) -> None:
    ledger.rounds.open({}, NOW)
    while ledger.rounds.get(0).state is not State.PUSHED:
        held = ledger.rounds.claim(NOW, "me", NOW)
        assert held is not None
        ledger.rounds.commit(held, Done(), NOW)
    held = ledger.rounds.claim(NOW, "me", NOW)
    assert held is not None
    ledger.rounds.wait(held, Wait(NOW + timedelta(hours=1), "people"))
    answers = Answers()
    once(ledger, answers)
    assert ledger.rounds.claim(NOW, "me", NOW) is None
    answers.tasks = [task(raw(1, choices("age")))]
    once(ledger, answers)
    assert ledger.rounds.claim(NOW, "me", NOW) is not None
