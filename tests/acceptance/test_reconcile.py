"""What happens behind our back: the full comparison finds it and mends it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from biasloop.domain.annotation import Standing
from biasloop.domain.round import State
from biasloop.errors import LabelStudioRefused
from biasloop.rounds.reconcile import Differences
from biasloop.service.service import Biasloop
from support.labelstudio_server import Annotator, Server
from support.served import copy, person_at, put_on, step_until, tasks_of

pytestmark = pytest.mark.labelstudio


@pytest.fixture
def biasloop(tiny: Path, tmp_path: Path, label_studio_server: Server) -> Iterator[Biasloop]:
    """A workspace whose first batch of 12 is with people."""
    with put_on(label_studio_server, copy(tiny, tmp_path / "workspace")) as made:
        step_until(made, State.PUSHED)
        yield made


@pytest.fixture
def person(biasloop: Biasloop, label_studio_server: Server) -> Iterator[Annotator]:
    with person_at(biasloop, label_studio_server) as made:
        yield made


def blind(biasloop: Biasloop, monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on Label Studio tells polls nothing; what it has altogether it still tells."""
    told = biasloop.label_studio.changed_since
    monkeypatch.setattr(
        biasloop.label_studio,
        "changed_since",
        lambda moment: iter(()) if moment is not None else told(moment),
    )


def votes(biasloop: Biasloop) -> dict[str, tuple[str, ...]]:
    """What the ledger says, by item."""
    return {
        a.item_id: a.labels
        for a in biasloop.ledger.annotations()
        if a.task_id is not None and a.standing is Standing.VOTE
    }


def test_everything_that_polls_missed_is_found_and_mended(
    biasloop: Biasloop, person: Annotator, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = biasloop.ledger.task_ids()
    edited, deleted, with_its_task, kept, added, never_answered, *_ = tasks
    made = {
        item: person.label(tasks[item], "age") for item in (edited, deleted, with_its_task, kept)
    }
    assert biasloop.poll() == 4
    blind(biasloop, monkeypatch)

    person.change(made[edited], "gender")
    person.delete(made[deleted])
    person.label(tasks[added], "inclusive")
    biasloop.label_studio.withdraw([tasks[with_its_task], tasks[never_answered]])

    assert biasloop.poll() == 0
    assert biasloop.reconcile() == Differences(changed=3, lost=1, pushed_again=2)
    assert votes(biasloop) == {edited: ("gender",), kept: ("age",), added: ("inclusive",)}
    in_label_studio = dict(tasks_of(biasloop))
    assert set(in_label_studio) == set(tasks), "every item has its task, each once"
    assert {item for item, n in in_label_studio.items() if n} == {edited, kept, added}
    now = biasloop.ledger.task_ids()
    assert now[with_its_task] != tasks[with_its_task]
    assert biasloop.reconcile() == Differences(0, 0, 0)

    person.label(now[with_its_task], "gender")
    assert biasloop.reconcile() == Differences(1, 0, 0)


def test_a_project_that_was_emptied_is_not_believed_until_told(
    biasloop: Biasloop, person: Annotator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("biasloop.rounds.reconcile.FEW", 3)
    tasks = biasloop.ledger.task_ids()
    for task in list(tasks.values())[:5]:
        person.label(task, "age")
    biasloop.poll()
    biasloop.label_studio.withdraw(list(tasks.values()))
    with pytest.raises(LabelStudioRefused, match=r"5 of 5 answers are gone .*--accept-losses"):
        biasloop.reconcile()
    assert len(votes(biasloop)) == 5
    assert biasloop.reconcile(accept_losses=True) == Differences(0, 5, len(tasks))
    assert votes(biasloop) == {}
    assert len(tasks_of(biasloop)) == len(tasks)
