"""Connections cut, sessions lost, a gateway killed in mid-answer: no answer is lost that was shown
as saved, and none is there twice."""

import random
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from biasloop.domain.round import State
from biasloop.service.service import Service
from biasloop.store.control import Bookmark
from support.cli import Cli
from support.gateway import PAGE, answer_of, gateway_of
from support.labelstudio_server import Server
from support.ports import free_port
from support.proxy import Fault, Proxy, proxy_of
from support.served import copy, put_on, step_until, tasks_of, wait_until

Call = Callable[[], httpx.Response]


def hang_up(_: Call) -> None:
    """The request never arrives."""


def answer_and_hang_up(call: Call) -> None:
    """Label Studio saves the answer; nobody hears of it."""
    call()


def sign_out(_: Call) -> httpx.Response:
    """Label Studio has forgotten the session."""
    return httpx.Response(401, json={"detail": "Authentication credentials were not provided."})


FAULTS: tuple[Fault, ...] = (hang_up, answer_and_hang_up, sign_out)


@pytest.fixture
def proxy(label_studio_server: Server) -> Iterator[Proxy]:
    with proxy_of(label_studio_server.url) as made:
        yield made


@pytest.fixture(params=[6, pytest.param(60, marks=pytest.mark.heavy)])
def answers(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


@pytest.fixture
def service(
    tiny: Path, tmp_path: Path, label_studio_server: Server, proxy: Proxy, answers: int
) -> Iterator[Service]:
    """A workspace whose batch is with people, who reach Label Studio through gateway and proxy."""
    settings = {
        "loop": {"batch_size": answers, "low_water": 0, "budget": answers, "audit_block": 0},
        "gateway": {"with_serve": True, "port": free_port()},
    }
    workspace = copy(tiny, tmp_path / "workspace")
    with put_on(label_studio_server, workspace, url=proxy.url, **settings) as made:
        step_until(made, State.PUSHED)
        yield made


def fail_once(proxy: Proxy, fault: Fault) -> None:
    """The next answer that is sent meets this fault."""

    def any_fault(method: str, path: str) -> Fault | None:
        if method == "POST" and path.endswith("/annotations"):
            proxy.any = lambda *_: None
            return fault
        return None

    proxy.any = any_fault


def test_what_is_sent_again_is_saved_once(service: Service, proxy: Proxy, answers: int) -> None:
    rng = random.Random(0)
    tasks = len(service.ledger.task_ids())
    assert tasks >= min(answers, 30)  # the pool of the campaign has not many more
    with gateway_of(service) as gateway:
        anna = gateway.visitor()
        for number in range(tasks):
            task = anna.next_task()
            assert task
            body = answer_of("age" if number % 2 else "gender")
            fail_once(proxy, rng.choice(FAULTS))
            sent: list[int] = []
            while not sent or sent[-1] != 201:
                assert len(sent) < 5, sent
                path = f"/api/tasks/{task['id']}/annotations"
                sent.append(anna.http.post(path, json=body).status_code)
            assert set(sent) <= {201, 503}
        assert anna.next_task() is None
        anna.close()
    assert [count for _, count in tasks_of(service)] == [1] * tasks


@pytest.mark.parametrize("kills", [2, pytest.param(30, marks=pytest.mark.heavy)])
def test_a_gateway_killed_in_mid_answer_loses_none(
    service: Service, proxy: Proxy, tmp_path: Path, kills: int
) -> None:
    secret, _ = service.access.make_link(service.access.add("anna@example.org"))
    session: dict[str, str] = {}
    answered = min(kills, len(service.ledger.task_ids()))
    for number in range(answered):
        with served(service.layout.folder, tmp_path / "serve.log") as (process, http):
            http.cookies.update(session)
            if not session:
                http.get(f"/l/{secret}", headers=PAGE)
                session = dict(http.cookies)
            project = service.ledger.control.bookmark(Bookmark.PROJECT)
            stream = f"/api/dm/actions?id=next_task&project={project}"
            task = http.post(stream, json={}).raise_for_status().json()["id"]

            def kill(call: Call, process: subprocess.Popen[bytes] = process) -> None:
                process.kill()
                call()

            body = answer_of("age")
            path = f"/api/tasks/{task}/annotations"
            fail_once(proxy, kill if number % 2 == 0 else answer_and_hang_up)
            with suppress(httpx.TransportError):
                assert http.post(path, json=body).status_code == 503
        with served(service.layout.folder, tmp_path / "serve.log") as (_, http):
            http.cookies.update(session)
            assert http.post(path, json=body).status_code == 201
    counts = [count for _, count in tasks_of(service)]
    assert (max(counts), sum(counts)) == (1, answered)


@contextmanager
def served(workspace: Path, log: Path) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """`biasloop serve` in a process of its own, and somebody who reaches its gateway."""
    cli = Cli(workspace)
    gateway = free_port()
    cli.environment |= {
        "BIASLOOP_WEB__PORT": str(free_port()),
        "BIASLOOP_GATEWAY__PORT": str(gateway),
    }
    with (
        log.open("ab") as told,
        subprocess.Popen(
            cli.command("serve"), env=cli.environment, stdout=told, stderr=told
        ) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{gateway}", timeout=60) as http,
    ):
        try:
            wait_until(lambda: answers_at(http), lambda: log.read_text("utf-8"))
            yield process, http
        finally:
            process.kill()


def answers_at(http: httpx.Client) -> bool:
    """Whether the gateway is there."""
    try:
        return http.get("/gateway/page.css").is_success
    except httpx.TransportError:
        return False
