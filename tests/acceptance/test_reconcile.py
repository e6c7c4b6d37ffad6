"""What happens behind our back: the full comparison finds and corrects it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from biasloop.domain.annotation import Standing
from biasloop.domain.label import AsideReason
from biasloop.domain.round import State
from biasloop.errors import LabelStudioRefused
from biasloop.reports.status import overview
from biasloop.rounds.losses import LossDecision
from biasloop.rounds.reconcile import Differences
from biasloop.service.control import replace_project
from biasloop.service.service import Service
from biasloop.store.control import Bookmark
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
    """From here on Label Studio tells polls only of the newest task that they know; what it has
    altogether it still tells."""
    told = service.label_studio.changed_since
    witness = service.ledger.control.bookmark(Bookmark.POLL_WITNESS)
    monkeypatch.setattr(
        service.label_studio,
        "changed_since",
        lambda moment: (task for task in told(moment) if moment is None or task.task_id == witness),
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
    monkeypatch.setattr("biasloop.rounds.losses.MAX_LOST_COUNT", 3)
    tasks = service.ledger.task_ids()
    for task in list(tasks.values())[:5]:
        person.label(task, "age")
    service.poll()
    service.label_studio.withdraw(list(tasks.values()))
    with pytest.raises(LabelStudioRefused, match=r"5 of 5 answers are gone .*--accept-losses"):
        service.reconcile()
    assert len(votes(service)) == 5
    assert service.reconcile(LossDecision.LET_GO) == Differences(0, 5, len(tasks))
    assert votes(service) == {}
    assert len(tasks_of(service)) == len(tasks)


def test_answers_that_are_gone_can_be_kept(
    service: Service, person: Annotator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("biasloop.rounds.losses.MAX_LOST_COUNT", 3)
    tasks = service.ledger.task_ids()
    for task in list(tasks.values())[:5]:
        person.label(task, "age")
    service.poll()
    known = votes(service)
    service.label_studio.withdraw(list(tasks.values()))
    service.poll()
    assert votes(service) == known
    assert (service.ledger.control.bookmark(Bookmark.LOSSES) or {})["gone"] == 5
    kept = service.reconcile(LossDecision.KEEP)
    assert kept == Differences(0, 0, len(tasks) - 5, kept=5)
    assert service.ledger.control.bookmark(Bookmark.LOSSES) is None
    assert votes(service) == known
    assert service.reconcile() == Differences(0, 0, 0)
    service.poll()
    assert votes(service) == known


def test_a_deleted_project_is_replaced_and_every_vote_kept(
    service: Service, person: Annotator, label_studio_server: Server
) -> None:
    tasks = service.ledger.task_ids()
    for task in list(tasks.values())[:7]:
        person.label(task, "age")
    service.poll()
    known, old = votes(service), service.label_studio.project
    delete_project(label_studio_server, old)
    for command in (service.poll, service.reconcile):
        with pytest.raises(LabelStudioRefused, match=r"reconcile --new-project"):
            command()
    assert replace_project(service) != old
    assert service.reconcile(LossDecision.KEEP) == Differences(0, 0, len(tasks) - 7, kept=7)
    assert votes(service) == known
    assert sorted(tasks_of(service)) == sorted((item, 0) for item in set(tasks) - set(known))

    with person_at(service, label_studio_server) as again:
        for task in service.label_studio.task_ids(sorted(set(tasks) - set(known))).values():
            again.label(task[0], "gender")
    assert service.poll() == len(tasks) - 7
    assert set(votes(service)) == set(tasks)
    assert service.reconcile() == Differences(0, 0, 0)


def delete_project(server: Server, project: int) -> None:
    """Somebody deletes the project in Label Studio."""
    token = {"Authorization": f"Token {server.token}"}
    httpx.delete(f"{server.url}/api/projects/{project}/", headers=token).raise_for_status()


def test_what_label_studio_says_of_tasks_and_authors_is_checked(
    service: Service, person: Annotator, label_studio_server: Server
) -> None:
    """Predictions turned into answers, a forged task with an answer, a task that names another
    item: none of them is a vote, and each says why."""
    one, two, three, *_ = tasks = service.ledger.task_ids()
    project = service.label_studio.project
    http = httpx.Client(
        base_url=label_studio_server.url,
        headers={"Authorization": f"Token {label_studio_server.token}"},
        timeout=60,
    )
    prediction = {"task": tasks[one], "model_version": "m", "result": person.result("age")}
    http.post("/api/predictions/", json=prediction).raise_for_status()
    http.post(
        "/api/dm/actions",
        params={"id": "predictions_to_annotations", "project": project},
        json={"selectedItems": {"all": True, "excluded": []}, "model_version": "m"},
    ).raise_for_status()
    forged = {
        "data": {"item_id": two, "text": "Falso."},
        "annotations": [{"result": person.result("gender"), "lead_time": 4.0}],
    }
    http.post(f"/api/projects/{project}/import", json=[forged]).raise_for_status()
    data = http.get(f"/api/tasks/{tasks[three]}/").json()["data"]
    http.patch(
        f"/api/tasks/{tasks[three]}/", json={"data": data | {"item_id": one}}
    ).raise_for_status()
    person.label(tasks[three], "age")
    person.label(tasks[two], "age")
    http.close()

    service.poll()
    assert votes(service) == {two: ("age",)}
    reasons = {
        (a.item_id, a.reason) for a in service.ledger.annotations() if a.standing is Standing.ASIDE
    }
    assert reasons == {
        (one, AsideReason.PREDICTION),
        (two, AsideReason.SECOND_TASK),
        (three, AsideReason.OTHER_ITEM),
    }


def test_an_answer_on_a_text_that_somebody_edited_is_set_aside(
    service: Service, person: Annotator, label_studio_server: Server
) -> None:
    one, two, *_ = tasks = service.ledger.task_ids()
    person.label(tasks[one], "age")
    service.poll()
    http = httpx.Client(
        base_url=label_studio_server.url,
        headers={"Authorization": f"Token {label_studio_server.token}"},
        timeout=60,
    )

    def show(item: str, text: str) -> None:
        data = http.get(f"/api/tasks/{tasks[item]}/").json()["data"]
        edited = {"data": data | {"text": text}}
        http.patch(f"/api/tasks/{tasks[item]}/", json=edited).raise_for_status()

    for item in (one, two):
        show(item, "Un altro testo.")
    person.label(tasks[two], "gender")
    service.poll()
    assert votes(service) == {one: ("age",)}  # given before
    [aside] = overview(service).set_aside
    assert (aside.item, aside.open) == (two, True)
    assert "another text" in aside.reason
    assert service.reconcile() == Differences(0, 0, 0)
    http.close()


def test_authors_whose_accounts_are_deleted_stay_who_they_are(
    service: Service, label_studio_server: Server
) -> None:
    emails = [f"{name}-{uuid4().hex[:6]}@example.org" for name in ("anna", "bea")]
    task = next(iter(service.ledger.task_ids().values()))
    accounts = []
    for email in emails:
        accounts.append(service.label_studio.add_annotator(email, "a-long-Password-2").id)
        with Annotator.sign_in(
            label_studio_server.url, email, "a-long-Password-2", service.label_studio.project
        ) as person:
            person.label(task, "age")
            service.poll()
    before = [(a.key, a.standing, a.annotator) for a in service.ledger.annotations()]
    delete_accounts(label_studio_server, accounts)
    assert service.reconcile() == Differences(0, 0, 0)
    assert [(a.key, a.standing, a.annotator) for a in service.ledger.annotations()] == before


def delete_accounts(server: Server, accounts: list[int]) -> None:
    """What an administrator of Django does; the API has no such call."""
    with closing(sqlite3.connect(server.data_dir / "label_studio.sqlite3")) as database:
        marks = ", ".join("?" * len(accounts))
        database.execute(
            f"UPDATE task_completion SET completed_by_id = NULL WHERE completed_by_id IN ({marks})",
            accounts,
        )
        database.commit()


def test_what_was_taken_down_does_not_come_back_with_a_restored_label_studio(
    service: Service, person: Annotator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor are the answers on it an accident, however many they are."""
    monkeypatch.setattr("biasloop.rounds.losses.MAX_LOST_COUNT", 0)
    tasks = service.ledger.task_ids()
    (item,) = service.pool.items([int(service.pool.rows_of([next(iter(tasks))])[0])])
    person.label(tasks[item.id], "age")
    service.poll()
    erased = service.pool.erase(item.ad_id)
    # Its tasks are still there.
    service.ledger.record_takedown(item.ad_id, erased, datetime.now(UTC))
    service.reconcile()
    assert not {found for found, _ in tasks_of(service)} & set(erased)
    service.reconcile()
    assert not {found for found, _ in tasks_of(service)} & set(erased)
    assert not service.ledger.task_ids().keys() & set(erased)
