"""The poll: what the ledger must append to agree with Label Studio, and which votes it requests."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import SLIPS, AsideReason, LabelSource, Scheme
from biasloop.domain.policy import version_in_force
from biasloop.domain.round import Done, State, Wait
from biasloop.domain.task import PushedTask, RawAnnotation, TaskState
from biasloop.domain.votes.vote import VotePlan, answered_items
from biasloop.errors import LabelStudioDown, LabelStudioRefused
from biasloop.labelstudio.label_config import LabelConfig
from biasloop.labelstudio.tasks import is_flagged
from biasloop.rounds.compare import changed_annotations, returns_and_overlaps
from biasloop.rounds.losses import LossDecision
from biasloop.rounds.poll import OVERLAP, poll
from biasloop.rounds.reading import PROVENANCE, read_annotation
from biasloop.rounds.reconcile import reconcile
from biasloop.rounds.recorder import CHUNK
from biasloop.store.control import Bookmark
from biasloop.store.ledger import Ledger

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
SCHEME = Scheme(("age", "gender"), multi=True, none_label="inclusive")
CONFIG = LabelConfig(SCHEME, choices="label", text="text", value="text", context=None)
TEXT = "Max 30 anni."


def span(start: int, end: int) -> dict[str, Any]:
    value = {"start": start, "end": end, "labels": ["age"]}
    return {"type": "labels", "from_name": "span", "to_name": "text", "value": value}


SPAN = span(0, 6)
POLICY = "p" * 12
PLAN = VotePlan()


def choices(*labels: str) -> dict[str, Any]:
    return {"type": "choices", "from_name": "label", "value": {"choices": list(labels)}}


def raw(number: int, *result: dict[str, Any], task: int = 1, **facts: Any) -> RawAnnotation:
    annotation = RawAnnotation(
        id=number,
        task_id=task,
        item_id=f"item {task}",
        annotator="anna@example.org",
        skipped=False,
        result=result,
        updated_at=NOW,
        seconds=3.5,
    )
    return replace(annotation, **facts)


def task(
    *annotations: RawAnnotation, number: int = 1, at: datetime = NOW, overlap: int = 1
) -> TaskState:
    return TaskState(number, f"item {number}", at, annotations, TEXT, overlap)


def appended_by(
    tasks: Sequence[TaskState], known: Sequence[Annotation] = (), policy: str = POLICY
) -> list[Annotation]:
    return changed_annotations(
        tasks, known, CONFIG, lambda _: policy, VotePlan(per_item=9), audit=()
    )


# --- one annotation -------------------------------------------------------------------------------


def test_a_flag_is_part_of_a_vote_and_adding_one_is_a_new_version() -> None:
    flag = {"type": "choices", "from_name": "unsure", "value": {"choices": ["unsure"]}}
    (before,) = appended_by([task(raw(17, choices("age")))])
    flagged = raw(17, choices("age"), flag, updated_at=NOW + SECOND)
    (after,) = appended_by([task(flagged)], [before])
    assert (after.key, after.standing, after.labels) == ("ls:17", Standing.VOTE, ("age",))
    assert is_flagged(after.extra["result"], replace(CONFIG, unsure="unsure"))
    assert not before.extra


def test_an_annotation_becomes_a_fact() -> None:
    annotation = read_annotation(raw(17, choices("age", "gender"), SPAN), CONFIG, POLICY)
    assert annotation == Annotation(
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
        ([choices("age"), span(9, 99)], False, Standing.VOTE, ""),
    ],
)
def test_what_does_not_count_has_its_reason(
    result: list[dict[str, Any]], skipped: bool, standing: Standing, reason: str
) -> None:
    annotation = read_annotation(raw(1, *result, skipped=skipped), CONFIG, POLICY)
    assert (annotation.standing, annotation.reason) == (standing, reason)


# --- what changed ---------------------------------------------------------------------------------


def test_a_changed_annotation_is_a_new_version_under_the_guideline_of_now() -> None:
    known = appended_by([task(raw(1, choices("age")))], policy="old")
    assert appended_by([task(raw(1, choices("age"), updated_at=NOW + SECOND))], known, "new") == []
    (changed,) = appended_by([task(raw(1, choices("gender")))], known, "new")
    assert (changed.key, changed.labels, changed.policy_id) == ("ls:1", ("gender",), "new")


def test_a_deleted_annotation_is_deleted_once_and_stays_so() -> None:
    other = raw(2, choices("gender"), annotator="bea@example.org")
    known = appended_by([task(raw(1, choices("age")), other)])
    later = task(other, at=NOW + SECOND)
    (deleted,) = appended_by([later], known)
    assert (deleted.key, deleted.standing) == ("ls:1", Standing.DELETED)
    assert (deleted.labels, deleted.at) == ((), NOW + SECOND)
    assert (deleted.item_id, deleted.task_id) == ("item 1", 1)
    assert deleted.annotator == "anna@example.org"
    assert appended_by([later], [deleted, known[1]]) == []


def test_when_a_persons_first_answer_goes_the_second_counts() -> None:
    both = [raw(1, choices("age")), raw(2, choices("gender"))]
    known = appended_by([task(*both)])
    assert [a.standing for a in known] == [Standing.VOTE, Standing.ASIDE]
    second, first = appended_by([task(both[1])], known)
    assert (second.key, second.standing, first.key, first.standing) == (
        "ls:2",
        Standing.VOTE,
        "ls:1",
        Standing.DELETED,
    )


def test_what_was_set_aside_stays_on_record_when_it_is_gone() -> None:
    known = appended_by([task(raw(1, choices("inclusive", "age")))])
    assert appended_by([task()], known) == []


def test_only_tasks_that_were_read_lose_annotations() -> None:
    known = appended_by(
        [task(raw(1, choices("age"))), task(raw(2, choices("age"), task=2), number=2)]
    )
    assert [a.key for a in appended_by([task()], known)] == ["ls:1"]
    imported = replace(known[1], key="human:item 2", task_id=None)
    assert appended_by([task(number=2)], [imported]) == []


results = st.sampled_from(
    [(), (SPAN,), (choices("age"),), (choices("age", "gender"), SPAN), (choices("inclusive"),)]
)
annotations = st.builds(
    lambda number, result, skipped: raw(
        number,
        *result,
        skipped=skipped,
        annotator="anna@example.org" if number % 2 else "bea@example.org",
    ),
    st.integers(0, 4),
    results,
    skipped=st.booleans(),
)
states = st.lists(annotations, max_size=4, unique_by=lambda a: a.id).map(lambda a: task(*a))


@given(st.lists(states, min_size=1, max_size=5))
def test_afterwards_the_ledger_agrees_with_label_studio(history: list[TaskState]) -> None:
    current: dict[str, Annotation] = {}
    for state in history:
        appended = appended_by([state], list(current.values()))
        assert len({a.key for a in appended}) == len(appended)
        current |= {a.key: a for a in appended}
        on_record = {a.key: a for a in current.values() if a.standing is not Standing.DELETED}
        server_keys = {f"ls:{a.id}" for a in state.annotations}
        # What was set aside and is gone stays on record, but counts as little as before.
        assert all(
            on_record[key].standing is Standing.ASIDE for key in set(on_record) - server_keys
        )
        assert server_keys <= set(on_record)
        voters: set[str] = set()
        for raw in sorted(state.annotations, key=lambda raw: raw.id):
            alone = read_annotation(raw, CONFIG, POLICY)
            recorded = on_record[alone.key]
            if alone.standing is Standing.VOTE and raw.annotator in voters:
                assert (recorded.standing, recorded.reason) == (
                    Standing.ASIDE,
                    AsideReason.DUPLICATE,
                )
            else:
                assert recorded.has_same_content(alone)
            if recorded.standing is Standing.VOTE:
                voters.add(raw.annotator)
        assert appended_by([state], list(current.values())) == []


# --- a changed guideline --------------------------------------------------------------------------


def set_aside(known: Sequence[Annotation], reason: AsideReason) -> list[Annotation]:
    return [replace(a, standing=Standing.ASIDE, reason=str(reason)) for a in known]


def test_an_answer_carries_the_guideline_of_its_moment_not_of_its_reading() -> None:
    history = [(NOW - SECOND, "old"), (NOW + SECOND, "new"), (NOW + 3 * SECOND, "old")]
    times = (NOW - 2 * SECOND, NOW, NOW + SECOND, NOW + 4 * SECOND)
    states = [
        task(raw(n, choices("age"), task=n, updated_at=at), number=n) for n, at in enumerate(times)
    ]
    annotation = changed_annotations(
        states, (), CONFIG, partial(version_in_force, history), PLAN, audit=()
    )
    assert [a.policy_id for a in annotation] == ["old", "old", "new", "old"]


@pytest.mark.parametrize("reason", [AsideReason.OLDER_POLICY, AsideReason.ASKED_AGAIN])
def test_votes_set_aside_with_a_guideline_stay_so_until_answered_again(reason: AsideReason) -> None:
    aside = set_aside(appended_by([task(raw(1, choices("age")))], policy="old"), reason)
    assert appended_by([task(raw(1, choices("age")))], aside, "new") == []
    (new_vote,) = appended_by([task(raw(1, choices("age"), updated_at=NOW + SECOND))], aside, "new")
    assert (new_vote.key, new_vote.standing, new_vote.policy_id) == ("ls:1", Standing.VOTE, "new")
    assert appended_by([task()], aside, "new") == []  # gone from there, it stays on record


def test_only_what_is_asked_again_is_shown_again() -> None:
    state = task(raw(1, choices("age")))
    known = appended_by([state], policy="old")
    aside = set_aside(known, AsideReason.OLDER_POLICY)
    assert returns_and_overlaps([state], aside, PLAN, audit=()) == ([], {})
    assert answered_items(aside, per_item=1) == {"item 1"}
    again = set_aside(known, AsideReason.ASKED_AGAIN)
    assert returns_and_overlaps([state], again, PLAN, audit=()) == ([state.annotations[0]], {})
    assert answered_items(again, per_item=1) == set()


# --- votes that are still missing -----------------------------------------------------------------

BEA, CARLA = "bea@example.org", "carla@example.org"


def requested(
    state: TaskState, *, audit: bool = True, plan: VotePlan = PLAN
) -> tuple[list[int], dict[int, tuple[int, bool]]]:
    """Ids of the annotations to give back, and the overlaps to set, of one task."""
    items = {state.item_id} if audit else set()
    known = changed_annotations([state], (), CONFIG, lambda _: POLICY, plan, items)
    returns, overlaps = returns_and_overlaps([state], known, plan, items)
    return [annotation.id for annotation in returns], overlaps


def test_an_audit_item_is_asked_about_once_more_after_its_first_vote_only() -> None:
    assert requested(task()) == ([], {})
    one = raw(1, choices("age"))
    assert requested(task(one)) == ([], {1: (2, False)})
    assert requested(task(one, overlap=2)) == ([], {})
    assert requested(task(one), audit=False) == ([], {})
    assert requested(task(one), audit=False, plan=VotePlan(per_item=2)) == ([], {1: (2, False)})


def test_a_third_vote_where_two_differ_and_not_when_they_agree_again() -> None:
    one = raw(1, choices("age"))
    assert requested(task(one, raw(2, choices("age"), annotator=BEA), overlap=2)) == ([], {})
    two = raw(2, choices("gender"), annotator=BEA)
    assert requested(task(one, two, overlap=2)) == ([], {1: (3, False)})
    three = raw(3, choices("inclusive"), annotator=CARLA)
    assert requested(task(one, two, three, overlap=3)) == ([], {})
    agreed = raw(2, choices("age"), annotator=BEA)
    assert requested(task(one, agreed, overlap=3)) == ([], {1: (2, True)})


def test_what_can_be_corrected_goes_back_to_its_author() -> None:
    bad = raw(1, choices("inclusive", "age"))
    assert requested(task(bad), audit=False) == ([1], {})
    vote = raw(2, choices("age"), annotator=BEA)
    assert requested(task(bad, vote), audit=False) == ([], {})  # nobody needs it any more
    assert requested(task(bad, vote, overlap=2)) == ([1], {})
    assert requested(task(bad, vote)) == ([1], {1: (2, False)})


def test_a_second_answer_by_one_person_stays_where_it_is() -> None:
    assert requested(task(raw(1, choices("age")), raw(2, choices("age")))) == ([], {1: (3, False)})


def test_a_skip_is_no_answer_that_another_vote_must_wait_for() -> None:
    skip = raw(1, skipped=True)
    assert requested(task(skip)) == ([], {})
    assert requested(task(skip, raw(2, choices("age"), annotator=BEA))) == ([], {1: (2, False)})


def test_the_answers_of_two_tasks_of_one_item_count_together() -> None:
    elsewhere = appended_by([task(raw(1, choices("age")))])
    twin = replace(task(raw(2, choices("gender"), task=2), number=2), item_id="item 1")
    twin = replace(twin, annotations=[replace(twin.annotations[0], item_id="item 1")])
    (second,) = appended_by([twin], elsewhere)
    assert (second.standing, second.reason) == (Standing.ASIDE, AsideReason.DUPLICATE)


# --- a complete poll, on a real ledger ------------------------------------------------------------


class Answers:
    """What these polls call of Label Studio; tasks come in the order of changes."""

    def __init__(self) -> None:
        self.shown: list[tuple[int, int, bool]] = []
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

    def set_overlap(self, task_id: int, overlap: int, *, done: bool) -> None:
        self.shown.append((task_id, overlap, done))

    def task_ids(self, item_ids: Sequence[str]) -> dict[str, list[int]]:
        return {t.item_id: [t.task_id] for t in self.tasks if t.item_id in item_ids}

    def withdraw(self, task_ids: Sequence[int]) -> None:
        self.tasks = [task for task in self.tasks if task.task_id not in task_ids]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    ledger.migrate()
    yield ledger
    ledger.close()


class Sent:
    """What these polls call of the pool: every item was sent with this text, if it was sent."""

    def rows_of(self, item_ids: Sequence[str]) -> NDArray[np.int64]:
        numbers = (item_id.removeprefix("item ") for item_id in item_ids)
        return np.array([int(n) if n.isdecimal() else -1 for n in numbers])

    def texts(self, rows: Sequence[int]) -> list[str]:
        return [TEXT for _ in rows]


def poll_once(ledger: Ledger, answers: Answers, now: datetime = NOW + DAY) -> int:
    parts: Any = (ledger, answers, Sent(), CONFIG)
    return poll(*parts, lambda _: POLICY, PLAN, now)


def test_a_poll_goes_on_where_the_last_one_ended(ledger: Ledger) -> None:
    answers = Answers()
    assert poll_once(ledger, answers) == 0
    answers.tasks = [task(raw(1, choices("age")))]
    assert poll_once(ledger, answers) == 1
    assert poll_once(ledger, answers) == 0
    later = NOW + timedelta(hours=1)
    answers.tasks.append(task(raw(2, choices("age"), task=2), number=2, at=later))
    assert poll_once(ledger, answers) == 1
    poll_once(ledger, answers)
    assert answers.asked == [None, None, NOW - OVERLAP, NOW - OVERLAP, later - OVERLAP]
    assert [a.key for a in ledger.annotations()] == ["ls:1", "ls:2"]


def test_what_came_after_the_clock_was_set_back_is_found(ledger: Ledger) -> None:
    answers = Answers()
    answers.tasks = [task(raw(1, choices("age")))]
    assert poll_once(ledger, answers) == 1
    back = NOW - timedelta(hours=2)
    later = back + timedelta(minutes=1)
    answers.tasks.append(task(raw(2, choices("age"), task=2), number=2, at=later))
    assert poll_once(ledger, answers, later) == 1
    assert poll_once(ledger, answers, later) == 0


def test_a_poll_that_breaks_off_keeps_what_it_had_and_asks_for_it_again(ledger: Ledger) -> None:
    answers = Answers()
    answers.tasks = [
        task(raw(n, choices("age"), task=n), number=n, at=NOW + n * SECOND)
        for n in range(CHUNK + 2)
    ]
    answers.dies_after = CHUNK + 1
    with pytest.raises(LabelStudioDown):
        poll_once(ledger, answers)
    assert len(ledger.annotations()) == CHUNK
    assert ledger.control.bookmark(Bookmark.POLL_CURSOR) is None
    answers.dies_after = None
    assert poll_once(ledger, answers) == 2


def test_somebody_elses_tasks_are_left_alone(ledger: Ledger) -> None:
    answers = Answers()
    foreign = raw(1, choices("age"), task=9, item_id="")
    answers.tasks = [replace(task(foreign, number=9), item_id="")]
    assert poll_once(ledger, answers) == 0
    assert ledger.annotations() == []


def test_news_wake_the_round_that_waits_for_people(ledger: Ledger) -> None:
    ledger.rounds.open({}, NOW)
    while ledger.rounds.get(0).state is not State.PUSHED:
        held = ledger.rounds.claim(NOW, "me", NOW)
        assert held is not None
        ledger.rounds.commit(held, Done(), NOW)
    held = ledger.rounds.claim(NOW, "me", NOW)
    assert held is not None
    ledger.rounds.wait(held, Wait(NOW + timedelta(minutes=5), "people"))
    answers = Answers()
    poll_once(ledger, answers)
    assert ledger.rounds.claim(NOW, "me", NOW) is None
    answers.tasks = [task(raw(1, choices("age")))]
    poll_once(ledger, answers)
    assert ledger.rounds.claim(NOW, "me", NOW) is not None


# --- tasks and authors as the ledger knows them ---------------------------------------------------


def test_the_ledger_says_which_task_is_which_item(ledger: Ledger) -> None:
    ledger.add([PushedTask("item 1", 1), PushedTask("item 2", 2)], NOW)
    answers = Answers()
    answers.tasks = [task(raw(1, choices("age")))]
    poll_once(ledger, answers)
    edited = replace(task(raw(1, choices("age")), raw(2, choices("gender"))), item_id="item 2")
    copied = raw(3, choices("gender"), task=9, item_id="item 2")
    forged = replace(task(copied, number=9), item_id="item 2")
    unknown = replace(task(raw(4, choices("age"), task=2), number=2), item_id="77")
    answers.tasks = [edited, forged, unknown]
    poll_once(ledger, answers)
    found = {a.key: (a.item_id, a.standing, a.reason) for a in ledger.annotations()}
    assert found == {
        "ls:1": ("item 1", Standing.VOTE, ""),  # given before the task was edited
        "ls:2": ("item 1", Standing.ASIDE, AsideReason.OTHER_ITEM),
        "ls:3": ("item 2", Standing.ASIDE, AsideReason.SECOND_TASK),
        "ls:4": ("item 2", Standing.ASIDE, AsideReason.OTHER_ITEM),
    }


def test_a_task_id_that_was_given_again_is_still_the_first_item_in_the_right_database(
    ledger: Ledger,
) -> None:
    """Restored, sent for another item, and restored to what it was."""
    ledger.add([PushedTask("item 1", 1), PushedTask("item 2", 1)], NOW)
    answers = Answers()
    answers.tasks = [task(raw(1, choices("age")))]
    poll_once(ledger, answers)
    [vote] = ledger.annotations()
    assert (vote.item_id, vote.standing) == ("item 1", Standing.VOTE)


@pytest.mark.parametrize(
    ("shown", "counts"),
    [
        (TEXT, True),
        ("Max\\n30  anni.", True),
        ("Ma\u00adx 30 anni", True),
        ("", False),
        ("Max 40 anni.", False),
        ("Max 30 anni. Solo uomini.", False),
    ],
)
def test_an_answer_on_an_edited_text_does_not_count(
    ledger: Ledger, shown: str, counts: bool
) -> None:
    ledger.add([PushedTask("item 1", 1), PushedTask("item 2", 2)], NOW)
    answers = Answers()
    before = raw(1, choices("age"))
    answers.tasks = [task(before)]
    poll_once(ledger, answers)
    after = raw(2, choices("gender"), task=2)
    edited = [task(before), task(after, number=2)]
    answers.tasks = [replace(state, text=shown) for state in edited]
    poll_once(ledger, answers)
    readings = {a.key: (a.standing, a.reason) for a in ledger.annotations()}
    assert readings["ls:1"] == (Standing.VOTE, "")  # given before the text was edited
    assert (readings["ls:2"] == (Standing.VOTE, "")) == counts
    if not counts:
        assert readings["ls:2"][0] is Standing.ASIDE
        assert "another text" in readings["ls:2"][1]


def test_an_answer_on_an_edited_text_counts_once_it_is_given_again(ledger: Ledger) -> None:
    ledger.add([PushedTask("item 1", 1)], NOW)
    answers = Answers()
    given = task(raw(1, choices("age")))
    answers.tasks = [replace(given, text="Solo uomini.", done=True)]
    poll_once(ledger, answers)
    answers.tasks = [replace(given, done=True)]
    poll_once(ledger, answers)
    assert votes_of(ledger) == set()  # another text was judged
    assert answers.shown == [(1, 2, False)]  # somebody else may judge the right one
    again = replace(given.annotations[0], updated_at=NOW + SECOND)
    answers.tasks = [replace(given, annotations=(again,))]
    poll_once(ledger, answers)
    assert votes_of(ledger) == {"item 1"}


@given(st.lists(st.sampled_from(["anna@example.org", "bea@example.org", ""]), max_size=4))
def test_the_author_is_the_one_recorded_first(authors: list[str]) -> None:
    """Whichever accounts are deleted later: who voted, how many count and who they are stays."""
    given_by = [raw(n, choices("age"), annotator=author) for n, author in enumerate(authors)]
    known = appended_by([task(*given_by)])
    assert len({a.annotator for a in known if not a.annotator.endswith("org")}) == authors.count("")
    deleted = [replace(answer, annotator="") for answer in given_by]
    assert appended_by([task(*deleted)], known) == []


@pytest.mark.parametrize("reason", PROVENANCE)
def test_a_vote_that_counted_before_anyone_asked_who_made_it_goes_on_counting(
    reason: AsideReason,
) -> None:
    known = appended_by([task(raw(1, choices("age")))])
    now_known = replace(raw(1, choices("age")), not_counted=reason)
    assert appended_by([task(now_known)], known) == []
    [fresh] = appended_by([task(now_known)])
    assert (fresh.standing, fresh.reason) == (Standing.ASIDE, reason)
    [touched] = appended_by([task(replace(now_known, updated_at=NOW + SECOND))], known)
    assert touched.standing is Standing.ASIDE


def test_an_id_that_is_given_again_is_another_annotation() -> None:
    """A database restored from an older copy gives the ids of lost annotations again."""
    known = appended_by([task(raw(1, choices("age"), created_at=NOW))])
    later = NOW + SECOND
    new = raw(1, choices("gender"), annotator="bea@example.org", created_at=later, updated_at=later)
    other = replace(task(replace(new, task_id=2, item_id="item 2"), number=2, at=later))
    [vote] = changed_annotations(
        [other], known, CONFIG, lambda _: POLICY, PLAN, audit=(), deletions=False
    )
    assert (vote.key.partition("@")[0], vote.item_id, vote.annotator) == (
        "ls:1",
        "item 2",
        "bea@example.org",
    )
    assert vote.key != known[0].key
    assert changed_annotations([other], [*known, vote], CONFIG, lambda _: POLICY, PLAN, ()) == []


def test_an_id_that_is_given_again_on_another_task_is_another_annotation() -> None:
    """Also when the ledger met the later one first, and the right database is back."""
    later = raw(1, choices("age"), created_at=NOW, annotator="bea@example.org")
    known = appended_by([task(later)])
    first = raw(1, choices("gender"), task=2, created_at=NOW - DAY, updated_at=NOW - DAY)
    right = replace(task(first, number=2, at=NOW - DAY))
    [vote] = changed_annotations(
        [right], known, CONFIG, lambda _: POLICY, PLAN, (), deletions=False
    )
    assert vote.key != known[0].key
    assert (vote.item_id, vote.labels) == ("item 2", ("gender",))


def test_an_older_version_of_an_answer_does_not_replace_a_newer_one() -> None:
    """As in a restored database; but what was deleted counts again when it is back."""
    known = appended_by([task(raw(1, choices("age"), updated_at=NOW + SECOND, created_at=NOW))])
    before = raw(1, choices("gender"), created_at=NOW)
    assert appended_by([task(before)], known) == []
    deleted = appended_by([task(at=NOW + DAY)], known)
    [back] = appended_by([task(before)], deleted)
    assert (back.standing, back.labels) == (Standing.VOTE, ("gender",))


def test_a_vote_given_under_other_labels_stays_as_it_is() -> None:
    known = appended_by([task(raw(1, choices("age")))])
    scheme = Scheme(("gender",), multi=True, none_label="inclusive")
    renamed = replace(CONFIG, scheme=scheme)
    state = [task(raw(1, choices("age")))]
    assert changed_annotations(state, known, renamed, lambda _: POLICY, PLAN, ()) == []


def test_what_no_person_answered_is_set_aside_and_not_asked_again() -> None:
    for reason in (AsideReason.PREDICTION, AsideReason.NOT_BY_A_PERSON):
        state = task(raw(1, choices("age"), not_counted=reason))
        [aside] = appended_by([state])
        assert (aside.standing, aside.reason) == (Standing.ASIDE, reason)
        assert returns_and_overlaps([state], [aside], PLAN, ()) == ([], {1: (2, False)})


def test_nothing_chosen_says_that_no_label_fits_where_nothing_else_can() -> None:
    config = replace(CONFIG, scheme=Scheme(("age", "gender"), multi=True))
    blank = read_annotation(raw(1), config, POLICY)
    assert (blank.standing, blank.labels) == (Standing.VOTE, ())


# --- nothing is asked for ever --------------------------------------------------------------------

slips = st.sampled_from(
    [(), (SPAN,), (choices("inclusive", "age"),), (choices("height"),), (choices("age", 5),)]
)


@given(
    st.lists(
        st.tuples(st.sampled_from(["anna@example.org", "bea@example.org"]), slips, st.booleans()),
        max_size=12,
    ),
    st.integers(1, 3),
)
def test_nobody_is_asked_twice_again_about_an_item(
    given_in_turn: list[tuple[str, tuple[dict[str, Any], ...], bool]], per_item: int
) -> None:
    """Whatever people submit, one after another or at once, each is given back an answer at most
    once, and only what is a slip."""
    plan = VotePlan(per_item=per_item)
    here: list[RawAnnotation] = []
    known: dict[str, Annotation] = {}
    given_back: list[str] = []
    for number, (who, result, poll_now) in enumerate(given_in_turn):
        at = NOW + number * SECOND
        here.append(raw(number, *result, annotator=who, updated_at=at, created_at=at))
        if not poll_now:
            continue
        state = task(*here, at=at)
        for new in changed_annotations(
            [state], list(known.values()), CONFIG, lambda _: POLICY, plan, ()
        ):
            known[new.key] = new
        returned, _ = returns_and_overlaps([state], list(known.values()), plan, ())
        given_back += [answer.annotator for answer in returned]
        assert all(known[f"ls:{answer.id}"].reason in SLIPS for answer in returned)
        here = [answer for answer in here if answer not in returned]
    assert len(given_back) == len(set(given_back))


def test_a_second_slip_by_one_person_keeps_no_round_open() -> None:
    first, second = appended_by([task(raw(1))])[0], appended_by([task(raw(2))])[0]
    assert answered_items([first], per_item=1) == set()
    assert answered_items([first, second], per_item=1) == {"item 1"}


# --- many answers gone at once --------------------------------------------------------------------


@pytest.fixture
def labelled(ledger: Ledger) -> Answers:
    """Thirty tasks, each with a vote that the ledger knows."""
    answers = Answers()
    for n in range(30):
        at = NOW + n * SECOND
        vote = raw(n, choices("age"), task=n, updated_at=at, created_at=at)
        answers.tasks.append(replace(task(vote, number=n, at=at), done=True))
    ledger.add([PushedTask(state.item_id, state.task_id) for state in answers.tasks], NOW)
    assert poll_once(ledger, answers) == 30
    return answers


def votes_of(ledger: Ledger) -> set[str]:
    return {a.item_id for a in ledger.annotations() if a.standing is Standing.VOTE}


def restore(answers: Answers, kept: int) -> None:
    """The database as it was when there were that many answers."""
    answers.tasks[kept:] = [
        replace(state, annotations=(), updated_at=NOW - DAY, done=False)
        for state in answers.tasks[kept:]
    ]


@pytest.mark.parametrize("lost", [1, 3, 15, 30])
def test_a_restored_database_costs_no_vote(ledger: Ledger, labelled: Answers, lost: int) -> None:
    everything = list(labelled.tasks)
    restore(labelled, 30 - lost)
    poll_once(ledger, labelled)
    assert len(votes_of(ledger)) == 30
    assert ledger.control.bookmark(Bookmark.LOSSES)["gone"] == lost
    assert sorted(labelled.shown) == [(n, 1, True) for n in range(30 - lost, 30)]
    # Somebody answers one of them again, while the question waits.
    at = NOW + DAY
    again = raw(29, choices("gender"), task=29, updated_at=at, created_at=at)
    labelled.tasks[29] = replace(task(again, number=29, at=at), done=True)
    poll_once(ledger, labelled, at)
    assert len(votes_of(ledger)) == 30
    votes = [a for a in ledger.annotations() if a.standing is Standing.VOTE]
    assert len(votes) == 30
    # Repaired: the polls go on as before.
    labelled.tasks = everything
    poll_once(ledger, labelled, at)
    assert len(votes_of(ledger)) == 30
    assert ledger.control.bookmark(Bookmark.LOSSES) is None


def test_a_restored_database_is_recognised_although_everybody_goes_on(
    ledger: Ledger, labelled: Answers
) -> None:
    """Two answers are lost, and both items answered again before the first poll: their tasks are
    newer than ever, but an id was given again."""
    for n, number in ((28, 29), (29, 28)):
        at = NOW + DAY + n * SECOND
        again = raw(number, choices("gender"), task=n, annotator=BEA, updated_at=at, created_at=at)
        labelled.tasks[n] = replace(task(again, number=n, at=at), done=True)
    poll_once(ledger, labelled, NOW + 2 * DAY)
    assert len(votes_of(ledger)) == 30
    assert ledger.control.bookmark(Bookmark.LOSSES)["gone"] == 2


def test_an_answer_under_an_id_that_was_given_again_stays_itself_when_the_first_is_let_go(
    ledger: Ledger, labelled: Answers
) -> None:
    """The first one's deletion is later than the other was made."""
    at = NOW + DAY
    again = raw(29, choices("gender"), task=29, annotator=BEA, updated_at=at, created_at=at)
    labelled.tasks[29] = replace(task(again, number=29, at=at), done=True)
    poll_once(ledger, labelled, NOW + 2 * DAY)
    parts: Any = (ledger, labelled, Sent(), CONFIG)
    reconcile(*parts, lambda _: POLICY, PLAN, losses=LossDecision.LET_GO)
    before = {a.key: a for a in ledger.annotations()}
    assert before["ls:29"].standing is Standing.DELETED
    poll_once(ledger, labelled, NOW + 3 * DAY)
    assert {a.key: a for a in ledger.annotations()} == before


def test_a_question_stays_while_answers_are_gone(ledger: Ledger, labelled: Answers) -> None:
    """Also when the lost ones are few and their tasks have changed since it was asked."""
    restore(labelled, 28)
    poll_once(ledger, labelled)
    labelled.tasks[28:] = [
        replace(state, updated_at=NOW + DAY, done=True) for state in labelled.tasks[28:]
    ]
    for _ in range(3):
        poll_once(ledger, labelled, NOW + 2 * DAY)
        assert ledger.control.bookmark(Bookmark.LOSSES)["gone"] == 2
    with pytest.raises(LabelStudioRefused, match="2 of 30 answers are gone"):
        reconcile(ledger, labelled, Sent(), CONFIG, lambda _: POLICY, PLAN)  # type: ignore[arg-type]
    assert len(votes_of(ledger)) == 30


@pytest.mark.parametrize("without", [1, 5, 30])
def test_answers_that_are_not_told_once_are_not_deleted(
    ledger: Ledger, labelled: Answers, without: int
) -> None:
    """Deleting an answer changes its task; these have not changed since the last poll."""
    whole = list(labelled.tasks)
    labelled.tasks[-without:] = [replace(state, annotations=()) for state in whole[-without:]]
    poll_once(ledger, labelled)
    assert len(votes_of(ledger)) == 30
    assert ledger.control.bookmark(Bookmark.LOSSES)["gone"] == without
    labelled.tasks = whole
    poll_once(ledger, labelled)
    assert len(votes_of(ledger)) == 30
    assert ledger.control.bookmark(Bookmark.LOSSES) is None


def test_many_deletions_at_once_are_a_question_and_few_are_not(
    ledger: Ledger, labelled: Answers
) -> None:
    whole = list(labelled.tasks)

    def delete(n: int) -> None:
        labelled.tasks = [
            replace(state, annotations=(), updated_at=NOW + DAY) if number < n else state
            for number, state in enumerate(whole)
        ]
        poll_once(ledger, labelled)

    delete(5)
    assert len(votes_of(ledger)) == 25
    delete(20)
    assert len(votes_of(ledger)) == 25
    assert ledger.control.bookmark(Bookmark.LOSSES)["gone"] == 15
    poll_once(ledger, labelled)
    assert ledger.control.bookmark(Bookmark.LOSSES)["gone"] == 15


def test_a_poll_that_sees_the_answers_again_settles_the_question_of_a_reconcile(
    ledger: Ledger, labelled: Answers
) -> None:
    everything = list(labelled.tasks)
    labelled.tasks = everything[20:]  # the others are deleted, which no change shows
    poll_once(ledger, labelled)
    parts: Any = (ledger, labelled, Sent(), CONFIG)
    with pytest.raises(LabelStudioRefused, match="20 of 30 answers are gone"):
        reconcile(*parts, lambda _: POLICY, PLAN)
    poll_once(ledger, labelled)
    assert ledger.control.bookmark(Bookmark.LOSSES)["gone"] == 20
    labelled.tasks = everything
    poll_once(ledger, labelled)
    assert ledger.control.bookmark(Bookmark.LOSSES) is None
    assert len(votes_of(ledger)) == 30


def test_a_task_that_cannot_be_read_keeps_its_answers_and_is_named(
    ledger: Ledger, labelled: Answers
) -> None:
    good = labelled.tasks[3]
    labelled.tasks[3] = replace(good, annotations=(), unreadable=True, updated_at=NOW + DAY)
    poll_once(ledger, labelled)
    assert len(votes_of(ledger)) == 30
    assert ledger.control.bookmark(Bookmark.UNREADABLE) == {"3": "item 3"}
    labelled.tasks[3] = replace(good, updated_at=NOW + DAY)
    poll_once(ledger, labelled)
    assert ledger.control.bookmark(Bookmark.UNREADABLE) == {}
