"""What happens behind our back: the full comparison finds it and mends it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from biasloop.domain.annotation import Standing
from biasloop.domain.round import State
from biasloop.errors import LabelStudioRefused
from biasloop.rounds.reconcile import Differences
from biasloop.service.service import Service
from support.labelstudio_server import Annotator, Server
from support.served import copy, person_at, put_on, step_until, tasks_of


@pytest.fixture
def service(tiny: Path, tmp_path: Path, label_studio_server: Server) -> Iterator[Service]:
    """A workspace whose first batch of 12 is with people."""
    with put_on(label_studio_server, copy(tiny, tmp_path / "workspace")) as made:
        step_until(made, State.PUSHED)
        yield made


@pytest.fixture
def person(service: Service, label_studio_server: Server) -> Iterator[Annotator]:
    with person_at(service, label_studio_server) as made:
        yield made


def blind(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on Label Studio tells polls nothing; what it has altogether it still tells."""
    told = service.label_studio.changed_since
    monkeypatch.setattr(
        service.label_studio,
        "changed_since",
        lambda moment: iter(()) if moment is not None else told(moment),
    )


def votes(service: Service) -> dict[str, tuple[str, ...]]:
    """What the ledger says, by item."""
    return {
        a.item_id: a.labels
        for a in service.ledger.annotations()
        if a.task_id is not None and a.standing is Standing.VOTE
    }


def test_everything_that_polls_missed_is_found_and_mended(
    service: Service, person: Annotator, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = service.ledger.task_ids()
    edited, deleted, with_its_task, kept, added, never_answered, *_ = tasks
    made = {
        item: person.label(tasks[item], "age") for item in (edited, deleted, with_its_task, kept)
    }
    assert service.poll() == 4
    blind(service, monkeypatch)

    person.change(made[edited], "gender")
    person.delete(made[deleted])
    person.label(tasks[added], "inclusive")
    service.label_studio.withdraw([tasks[with_its_task], tasks[never_answered]])

    assert service.poll() == 0
    assert service.reconcile() == Differences(changed=3, lost=1, pushed_again=2)
    assert votes(service) == {edited: ("gender",), kept: ("age",), added: ("inclusive",)}
    in_label_studio = dict(tasks_of(service))
    assert set(in_label_studio) == set(tasks), "every item has its task, each once"
    assert {item for item, n in in_label_studio.items() if n} == {edited, kept, added}
    now = service.ledger.task_ids()
    assert now[with_its_task] != tasks[with_its_task]
    assert service.reconcile() == Differences(0, 0, 0)

    person.label(now[with_its_task], "gender")
    assert service.reconcile() == Differences(1, 0, 0)


def test_a_project_that_was_emptied_is_not_believed_until_told(
    service: Service, person: Annotator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("biasloop.rounds.reconcile.MAX_LOST_COUNT", 3)
    tasks = service.ledger.task_ids()
    for task in list(tasks.values())[:5]:
        person.label(task, "age")
    service.poll()
    service.label_studio.withdraw(list(tasks.values()))
    with pytest.raises(LabelStudioRefused, match=r"5 of 5 answers are gone .*--accept-losses"):
        service.reconcile()
    assert len(votes(service)) == 5
    assert service.reconcile(accept_losses=True) == Differences(0, 5, len(tasks))
    assert votes(service) == {}
    assert len(tasks_of(service)) == len(tasks)
