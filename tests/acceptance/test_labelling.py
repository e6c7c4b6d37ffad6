"""People, tasks and withdrawal on the real Label Studio, by the command line."""

from collections.abc import Iterator

import pytest

from biasloop.errors import LabelStudioRefused
from biasloop.labelstudio.session import Session
from biasloop.service.service import Service
from biasloop.store.control import Bookmark
from support.cli import Cli
from support.labelstudio_server import Server
from support.ports import free_port

BATCH = 4


@pytest.fixture
def on_site(
    cli: Cli, label_studio_server: Server, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Cli, Service]]:
    """The command line and the same workspace from within, with a batch at people."""
    cli.work_on(label_studio_server, LOOP__BATCH_SIZE=BATCH, LOOP__LOW_WATER=0)
    for name, value in cli.environment.items():
        if name.startswith("BIASLOOP_"):
            monkeypatch.setenv(name, value)
    service = Service(cli.workspace)
    did = [service.loop.tick() for _ in range(4)]
    assert did == [f"round 0: {step} done" for step in ("expand", "score", "select", "push")]
    yield cli, service
    service.label_studio.close()
    service.ledger.close()


def test_a_person_is_let_in_and_labels(on_site: tuple[Cli, Service]) -> None:
    cli, service = on_site
    email = f"anna-{service.ledger.control.bookmark(Bookmark.PROJECT)}@example.org"
    account = cli.json("annotator", "add", email)
    with pytest.raises(LabelStudioRefused, match="wrong e-mail or password"):
        Session(service.label_studio_url, email, "another")
    again = cli.json("annotator", "add", email)
    assert again == account | {"password": None}
    assert "password has not changed" in cli("annotator", "add", email)
    assert account["label"] in cli("status")

    with Session(service.label_studio_url, email, account["password"]) as session:
        task = session.next_task(service.ledger.control.bookmark(Bookmark.PROJECT))
        assert task
        assert set(task["data"]) == {"text", "context", "item_id", "round"}
        choice = {"from_name": "label", "to_name": "text", "type": "choices"}
        session.submit(task["id"], [{**choice, "value": {"choices": ["gender"]}}], seconds=2.0)
    assert cli.json("tick")["new_annotations"] == 1
    assert cli.json("status")["open_tasks"]["all"] == BATCH - 1
    facts = [fact["fact"] for fact in cli.json("trip", task["data"]["item_id"])["facts"]]
    assert facts == ["selected", "pushed", "vote"]


def test_takedown_reaches_the_tasks_once_label_studio_is_there(
    on_site: tuple[Cli, Service],
) -> None:
    cli, service = on_site
    (_, selection), *_ = service.ledger.selections()
    (item,) = service.pool.items([selection.row])
    there = cli.environment["BIASLOOP_LABELSTUDIO__URL"]
    cli.environment["BIASLOOP_LABELSTUDIO__URL"] = f"http://127.0.0.1:{free_port()}"
    told = cli.error("takedown", item.ad_id)
    assert f"`biasloop takedown {item.ad_id}` again" in told
    assert service.pool.texts([selection.row]) == [""]
    assert service.label_studio.task_ids([item.id])

    cli.environment["BIASLOOP_LABELSTUDIO__URL"] = there
    for withdrawn in (1, 0):
        report = cli.json("takedown", item.ad_id)
        assert item.id in report["items"]
        assert (report["tasks_withdrawn"] > 0) is bool(withdrawn)
        assert not service.label_studio.task_ids([item.id])


def test_cancel_withdraws_what_nobody_labelled(on_site: tuple[Cli, Service]) -> None:
    cli, service = on_site
    assert f"{BATCH} unlabelled tasks withdrawn" in cli("cancel", 0, "--why", "wrong ads")
    items = [selection.item_id for _, selection in service.ledger.selections()]
    assert service.label_studio.task_ids(items) == {}
    assert cli.json("status")["rounds"][0]["state"] == "cancelled"
    assert "round 0" in cli.error("cancel", 0)
