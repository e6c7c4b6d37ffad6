"""The guideline changes while people label: on the real Label Studio."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from acceptance.support import copy, label_open, person_at, put_on, step_until
from biasloop.bootstrap import Biasloop
from biasloop.domain.annotation import Standing
from biasloop.domain.label import AsideReason
from biasloop.domain.policy import Action
from biasloop.domain.round import State
from biasloop.guideline import decide, guideline
from biasloop.reconcile import Differences
from labelstudio_server import Annotator, Server

pytestmark = pytest.mark.labelstudio


@pytest.fixture
def biasloop(tiny: Path, tmp_path: Path, label_studio_server: Server) -> Iterator[Biasloop]:
    """A workspace whose first batch is with people."""
    with put_on(label_studio_server, copy(tiny, tmp_path / "workspace")) as made:
        step_until(made, State.PUSHED)
        yield made


@pytest.fixture
def person(biasloop: Biasloop, label_studio_server: Server) -> Iterator[Annotator]:
    with person_at(biasloop, label_studio_server) as made:
        yield made


def change_guideline(biasloop: Biasloop) -> str:
    """As an engineer does it: edits the file and starts again. The id of the new version."""
    path = biasloop.workspace.campaign / "guidelines.md"
    path.write_text(path.read_text("utf-8") + "\nAnche le età minime.\n", "utf-8")
    del biasloop.__dict__["campaign"]
    biasloop.ensure_project()
    return biasloop.campaign.policy.id


def test_items_are_asked_about_again_under_the_new_guideline(
    biasloop: Biasloop, person: Annotator, label_studio_server: Server
) -> None:
    old = biasloop.campaign.policy.id
    (one, task), (two, _), *_ = biasloop.ledger.task_ids().items()
    assert person.next_task() == task
    person.label(task, "age")
    person.label(biasloop.ledger.task_ids()[two], "gender")
    new = change_guideline(biasloop)
    assert biasloop.poll() == 2  # read after the change, made before it
    assert {a.policy_id for a in biasloop.ledger.annotations() if a.task_id} == {old}
    found = guideline(biasloop, biasloop.ledger.annotations())
    assert (found["policy"], found["waiting"]) == (new, {"versions": [old], "votes": 2})

    assert decide(biasloop, Action.RE_ASK, ["age"], "rita")["answers"] == 1
    assert person.next_task() == task
    assert biasloop.poll() == 0
    assert said(biasloop, one) == {(old, Standing.ASIDE, AsideReason.ASKED_AGAIN)}
    person.label(task, "inclusive")
    assert biasloop.poll() == 1
    assert (new, Standing.VOTE, "") in said(biasloop, one)
    assert said(biasloop, two) == {(old, Standing.VOTE, "")}
    assert biasloop.reconcile() == Differences(0, 0, 0)

    assert decide(biasloop, Action.SET_ASIDE, [], "rita")["answers"] == 1
    assert biasloop.reconcile() == Differences(0, 0, 0)
    assert said(biasloop, two) == {(old, Standing.ASIDE, AsideReason.OLDER_POLICY)}
    assert person.next_task() not in (task, biasloop.ledger.task_ids()[two])

    label_open(biasloop, label_studio_server)
    step_until(biasloop, State.CLOSED)  # holds nothing up
    ((_, _, model),) = biasloop.ledger.models()
    assert two not in biasloop.ledger.trained_on(model.id)
    assert model.card["policies"] == {new: model.card["rows"]["human"]}


def said(biasloop: Biasloop, item_id: str) -> set[tuple[str, Standing, str]]:
    found = biasloop.ledger.annotations_on([item_id])
    return {(a.policy_id, a.standing, a.reason) for a in found}
