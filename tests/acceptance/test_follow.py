"""What people change, delete and skip in Label Studio: the ledger follows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.batch import Arm
from biasloop.domain.label import AsideReason
from biasloop.domain.round import State
from biasloop.reports.status import overview
from biasloop.service.service import Service
from support.labelstudio_server import Annotator, Server
from support.served import copy, person_at, put_on, step_until, wait_until

BATCH = 12
LOW_WATER = 4


@pytest.fixture
def service(tiny: Path, tmp_path: Path, label_studio_server: Server) -> Iterator[Service]:
    """A workspace whose first batch is with people; the next round opens when 4 tasks are left."""
    settings = {"loop": {"low_water": LOW_WATER, "budget": 2 * BATCH, "audit_block": 4}}
    with put_on(label_studio_server, copy(tiny, tmp_path / "workspace"), **settings) as made:
        step_until(made, State.PUSHED)
        yield made


@pytest.fixture
def person(service: Service, label_studio_server: Server) -> Iterator[Annotator]:
    with person_at(service, label_studio_server) as made:
        yield made


def polled(service: Service, task: int) -> list[Annotation]:
    """What the ledger says of a task after a poll, oldest statement first."""
    service.poll()
    found = [a for a in service.ledger.annotations() if a.task_id == task]
    return sorted(found, key=lambda a: int(a.key.split(":")[1]))


def said(service: Service, task: int) -> tuple[Standing, tuple[str, ...], str]:
    """Standing, labels and reason of the newest annotation of a task."""
    *_, found = polled(service, task)
    return found.standing, found.labels, found.reason


def open_tasks(service: Service) -> str:
    """What pull says about round 0, in its words."""
    service.poll()
    wait_until(lambda: service.loop.tick() is None)
    return str(service.ledger.rounds.get(0).waits_for).partition(";")[0]


def test_one_annotation_through_all_that_can_happen_to_it(
    service: Service, person: Annotator
) -> None:
    task = person.next_task()
    assert task is not None
    all_open = f"{BATCH} of {BATCH} tasks are open"
    one_done = f"{BATCH - 1} of {BATCH} tasks are open"
    assert open_tasks(service) == all_open

    first = person.label(task, "gender")
    assert said(service, task) == (Standing.VOTE, ("gender",), "")
    assert open_tasks(service) == one_done

    person.change(first, "age", "gender")
    assert said(service, task) == (Standing.VOTE, ("age", "gender"), "")
    assert open_tasks(service) == one_done

    person.change(first)
    assert said(service, task) == (Standing.ASIDE, (), AsideReason.EMPTY)
    assert open_tasks(service) == all_open

    assert service.poll() == 0
    assert [a.reason for a in overview(service).set_aside] == [AsideReason.EMPTY]

    assert person.next_task() == task  # a slip is asked again, once
    first = person.label(task, "inclusive")
    assert said(service, task) == (Standing.VOTE, ("inclusive",), "")
    assert open_tasks(service) == one_done

    person.delete(first)
    assert said(service, task) == (Standing.DELETED, (), "")
    assert open_tasks(service) == all_open

    person.draft(task, "age")
    assert said(service, task) == (Standing.DELETED, (), "")

    skip = person.skip(task)
    *_, gone, skipped = polled(service, task)
    assert (gone.standing, skipped.standing) == (Standing.DELETED, Standing.SKIP)
    assert open_tasks(service) == one_done

    person.delete(skip)
    again = person.label(task, "age")
    *before, vote = polled(service, task)
    asides, gone = [Standing.ASIDE], [Standing.DELETED] * 2
    assert [a.standing for a in before] == asides + gone
    assert (vote.key, vote.standing, vote.labels) == (f"ls:{again}", Standing.VOTE, ("age",))
    assert open_tasks(service) == one_done
    assert service.poll() == 0


def test_what_does_not_count_is_asked_again_at_most_once(
    service: Service, person: Annotator
) -> None:
    """A slip comes back to its author once; an answer with a label that is gone stays as it is."""
    slip, other = list(service.ledger.task_ids().values())[:2]
    for left_open in (BATCH, BATCH - 1):
        person.label(slip, "inclusive", "age")
        assert said(service, slip) == (
            Standing.ASIDE,
            ("inclusive", "age"),
            AsideReason.CONTRADICTORY,
        )
        assert open_tasks(service) == f"{left_open} of {BATCH} tasks are open"
        assert service.poll() == 0
    person.label(other, "purple")
    assert said(service, other) == (Standing.ASIDE, ("purple",), AsideReason.UNKNOWN_LABEL)
    assert service.poll() == 0
    reasons = [a.reason for a in overview(service).set_aside]
    assert reasons == [AsideReason.CONTRADICTORY] * 2 + [AsideReason.UNKNOWN_LABEL]


def test_what_comes_late_or_goes_counts_in_the_next_training(
    service: Service, person: Annotator
) -> None:
    tasks = service.ledger.task_ids()
    batch = service.ledger.selections(0)
    left = [s.item_id for _, s in batch if s.arm is not Arm.AUDIT][-LOW_WATER:]
    annotations = {i: person.label(tasks[i], "age") for i in tasks if i not in left}
    step_until(service, State.CLOSED)
    learned = set(service.ledger.models.trained_on("r0000"))
    gone = next(item_id for item_id in annotations if item_id in learned)
    assert not learned & set(left)

    late = left[0]
    person.label(tasks[late], "gender")
    person.delete(annotations[gone])
    step_until(service, State.PUSHED, 1)
    tasks = service.ledger.task_ids()
    for _, selection in service.ledger.selections(1):
        person.label(tasks[selection.item_id], "inclusive")
    step_until(service, State.CLOSED, 1)
    learned_next = set(service.ledger.models.trained_on("r0001"))
    assert late in learned_next
    assert not learned_next & {gone, *left[1:]}
    assert learned - {gone} < learned_next
    (withdrawn,) = (c for c in service.ledger.consensus() if c.item_id == gone)
    assert withdrawn.votes == 0


def test_a_skipped_audit_task_is_no_response(service: Service, person: Annotator) -> None:
    tasks = service.ledger.task_ids()
    audit = [s for _, s in service.ledger.selections(0) if s.arm is Arm.AUDIT]
    assert len(audit) == 4
    skipped, pending, *answered = audit
    person.skip(tasks[skipped.item_id])
    for _, selection in service.ledger.selections(0):
        if selection not in (skipped, pending):
            person.label(tasks[selection.item_id], "age")
    step_until(service, State.CLOSED)
    facts = service.ledger.rounds.get(0).facts
    ((_, evaluation),) = service.ledger.models.evaluations()
    on_their_way = [s for _, s in service.ledger.selections(1) if s.arm is Arm.AUDIT]
    assert facts["evaluated"] == evaluation.report["audit"]["n_items"] == len(answered)
    assert facts["audit_skipped"] == evaluation.report["skipped"] == 1
    assert facts["audit_pending"] == evaluation.report["pending"] == 1 + len(on_their_way)
    assert overview(service).open_tasks.audit == 1 + len(on_their_way)
