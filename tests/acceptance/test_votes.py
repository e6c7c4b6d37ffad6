"""Several people on the real Label Studio: who is asked what, what their votes come to."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from biasloop.domain.annotation import Standing
from biasloop.domain.batch import Arm
from biasloop.domain.round import State
from biasloop.reports import annotators as annotators_report
from biasloop.service.service import Service
from biasloop.store.control import Bookmark
from support.labelstudio_server import Annotator, Server
from support.served import copy, put_on, step_until

PASSWORD = "a-long-Password-3"


@pytest.fixture
def service(tiny: Path, tmp_path: Path, label_studio_server: Server) -> Iterator[Service]:
    """A workspace whose one batch of six, two of them audit, is with people."""
    settings = {"loop": {"batch_size": 6, "low_water": 0, "budget": 6, "audit_block": 2}}
    with put_on(label_studio_server, copy(tiny, tmp_path / "workspace"), **settings) as made:
        step_until(made, State.PUSHED)
        yield made


def test_audit_items_are_voted_on_twice_and_a_third_time_where_two_differ(
    service: Service, label_studio_server: Server
) -> None:
    people = []
    for _ in range(3):
        email = f"{uuid4().hex[:12]}@example.org"
        service.label_studio.add_annotator(email, PASSWORD)
        project = service.ledger.control.bookmark(Bookmark.PROJECT)
        people.append(Annotator.sign_in(label_studio_server.url, email, PASSWORD, project))
    first, second, third = people
    tasks = service.ledger.task_ids()
    batch = [selection for _, selection in service.ledger.selections(0)]
    audit = [tasks[s.item_id] for s in batch if s.arm is Arm.AUDIT]
    assert len(audit) == 2

    assert answers(first, "age") == [tasks[s.item_id] for s in batch]  # in order, arms apart
    assert answers(second, "age") == []
    service.poll()
    assert answers(first, "age") == []
    assert second.next_task() == audit[0]
    second.label(audit[0], "age")
    assert second.next_task() == audit[1]
    second.label(audit[1], "gender")
    assert answers(third, "age") == []
    service.poll()
    assert answers(second, "age") == []
    assert answers(third, "gender") == [audit[1]]
    assert service.poll() == 1
    assert [answers(person, "age") for person in people] == [[], [], []]

    # Behind Label Studio's back: a vote nobody asked for, and a second one by the same person.
    train = next(task for task in tasks.values() if task not in audit)
    third.label(train, "gender")
    first.label(train, "gender")
    service.poll()
    aside = [a.reason for a in service.ledger.annotations() if a.standing is Standing.ASIDE]
    assert len(aside) == 2

    step_until(service, State.CLOSED)
    agreed = {c.item_id: c for c in service.ledger.consensus()}
    by_task = {tasks[item_id]: found for item_id, found in agreed.items()}
    assert [by_task[task].votes for task in (*audit, train)] == [2, 3, 1]
    assert by_task[audit[1]].labels == ("gender",)
    found = annotators_report.report(service)
    assert [p.votes for p in found.people if p.votes]
    assert found.agreement.items == 2
    for person in people:
        person.__exit__(None, None, None)


def answers(person: Annotator, label: str) -> list[int]:
    """Answers all that the stream shows; the tasks, in order."""
    done = []
    while (task := person.next_task()) is not None:
        person.label(task, label)
        done.append(task)
    return done
