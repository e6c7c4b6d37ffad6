"""Label Studio goes and comes back, and answers get lost: the loop waits and duplicates nothing."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from biasloop.domain.round import State
from biasloop.domain.task import LabelTask, PushedTask
from biasloop.errors import LabelStudioDown
from biasloop.reports.status import overview
from biasloop.service.service import Service
from biasloop.store.ledger import Ledger
from support.labelstudio_server import Server
from support.proxy import Proxy, proxy_of
from support.served import (
    assert_known,
    copy,
    label_open,
    put_on,
    state,
    step_until,
    tasks_of,
    wait_until,
)

BATCH = 12
SHORT = {"timeout_seconds": 4}
"""The client gives up soon, where a test makes it wait."""


@pytest.fixture
def proxy(label_studio_server: Server) -> Iterator[Proxy]:
    with proxy_of(label_studio_server.url) as made:
        yield made


@pytest.fixture
def service(
    tiny: Path, tmp_path: Path, label_studio_server: Server, proxy: Proxy
) -> Iterator[Service]:
    """A workspace that reaches Label Studio through the proxy; one round."""
    sections = {"loop": {"budget": BATCH}, "labelstudio": SHORT}
    workspace = copy(tiny, tmp_path / "workspace")
    with put_on(label_studio_server, workspace, url=proxy.url, **sections) as made:
        yield made


def tick_until(service: Service, wanted: State) -> None:
    """Ticks alone, so that no poll stands between."""

    def turn() -> bool:
        service.loop.tick()
        return state(service) is wanted

    wait_until(turn, lambda: str(service.ledger.rounds.all()))


def assert_one_task_each(service: Service) -> None:
    batch = Counter(selection.item_id for _, selection in service.ledger.selections())
    assert Counter(item_id for item_id, _ in tasks_of(service)) == batch
    assert batch.total() == BATCH
    assert_known(service, batch)


def test_a_push_waits_until_label_studio_is_back(service: Service, proxy: Proxy) -> None:
    proxy.off()
    tick_until(service, State.SELECTED)
    wait_until(lambda: bool(service.loop.tick()) and service.ledger.rounds.get(0).attempts > 1)
    failed = service.ledger.rounds.get(0)
    assert failed.state is State.SELECTED
    assert failed.retry_at is not None
    assert f"no connection to Label Studio at {proxy.url}" in str(failed.error)
    assert "is it running?" in str(failed.error)
    proxy.on()
    tick_until(service, State.PUSHED)
    pushed = service.ledger.rounds.get(0)
    assert (pushed.attempts, pushed.error) == (0, None)
    assert_one_task_each(service)


def test_polls_wait_say_so_and_lose_nothing(
    service: Service, proxy: Proxy, label_studio_server: Server
) -> None:
    def trouble() -> str | None:
        found: str | None = overview(service).label_studio.trouble
        return found

    told: list[str] = []
    scheduler = service.scheduler(told.append)
    scheduler.start()
    try:
        wait_until(lambda: state(service) is State.PUSHED)
        proxy.off()
        wait_until(lambda: trouble() is not None)
        assert f"no connection to Label Studio at {proxy.url}" in str(trouble())
        label_open(service, label_studio_server)  # people reach it; only we do not
        assert state(service) is State.PUSHED
        proxy.on()
        wait_until(lambda: state(service) is State.CLOSED)
        assert trouble() is None
    finally:
        scheduler.stop()
    assert sum("poll failed" in line for line in told) == 1
    assert "Label Studio answers again" in told
    assert overview(service).labels["human"] == BATCH
    assert_one_task_each(service)


def test_an_import_whose_answer_is_lost_makes_no_doubles(service: Service, proxy: Proxy) -> None:
    def commit_and_hang_up(call):
        call()

    proxy.imports = commit_and_hang_up
    tick_until(service, State.PUSHED)
    assert_one_task_each(service)


def test_an_import_that_times_out_after_it_was_committed_makes_no_doubles(
    service: Service, proxy: Proxy
) -> None:
    given_up = threading.Event()

    def commit_and_keep_the_answer(call):
        answer = call()
        given_up.wait()
        return answer

    proxy.imports = commit_and_keep_the_answer
    tick_until(service, State.PUSHED)
    given_up.set()
    assert_one_task_each(service)


def test_an_import_that_is_committed_after_the_next_one_leaves_no_doubles(
    service: Service, proxy: Proxy
) -> None:
    again = threading.Event()
    calls = []

    def commit_late(call):
        calls.append(call)
        if len(calls) == 1:
            again.wait()
        return call()

    proxy.imports = commit_late
    tick_until(service, State.PUSHED)
    assert len(calls) == 2
    again.set()
    wait_until(lambda: len(tasks_of(service)) == 2 * BATCH)
    service.poll()
    assert_one_task_each(service)


def test_what_a_cancelled_push_left_is_no_second_task(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A push that went on after its round was cancelled, and a later one that the ledger knows."""
    tick_until(service, State.SELECTED)
    service.ensure_project()
    client = service.label_studio
    item = service.ledger.selections()[0][1].item_id
    left = PushedTask(item, client.push([LabelTask(item, "t", "c", 0)])[item])
    later = PushedTask("later", client.push([LabelTask("later", "t", "c", 0)], left)["later"])
    monkeypatch.setattr(Ledger, "newest_task", lambda *_: later)
    tick_until(service, State.PUSHED)
    assert len(client.task_ids([item])[item]) == 2
    client.withdraw([later.task_id])
    service.poll()
    assert_one_task_each(service)


def test_nobody_takes_over_a_push_that_takes_longer_than_a_lease(
    service: Service, proxy: Proxy
) -> None:
    calls = []

    def take_two_leases(call):
        calls.append(call)
        time.sleep(2 * service.settings.scheduler.lease_seconds)
        return call()

    proxy.imports = take_two_leases
    told: list[str] = []
    scheduler = service.scheduler(told.append)
    scheduler.start()
    try:
        wait_until(lambda: state(service) is State.PUSHED, lambda: str(told))
    finally:
        scheduler.stop()
    assert len(calls) == 1
    assert not [line for line in told if "taken over" in line]
    assert_one_task_each(service)


def test_a_broken_answer_is_tried_again(service: Service, proxy: Proxy) -> None:
    proxy.imports = lambda _: httpx.Response(502, text="<html>Bad gateway</html>")
    tick_until(service, State.SELECTED)
    wait_until(lambda: bool(service.loop.tick()) and service.ledger.rounds.get(0).attempts > 1)
    assert "answered 502 without JSON" in str(service.ledger.rounds.get(0).error)
    proxy.imports = None
    tick_until(service, State.PUSHED)
    assert_one_task_each(service)


def test_a_poll_in_the_foreground_says_that_label_studio_is_down(
    service: Service, proxy: Proxy
) -> None:
    step_until(service, State.PUSHED)
    proxy.off()
    with pytest.raises(LabelStudioDown, match="is it running"):
        service.poll()
