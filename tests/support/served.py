"""Workspaces of the tiny campaign on the real Label Studio, and the people who label there."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from biasloop.domain.round import State
from biasloop.service.service import Service
from biasloop.store.control import Bookmark
from biasloop.workspace.secrets import write_secrets
from biasloop.workspace.settings_file import SETTINGS_FILE
from support.labelstudio_server import Annotator, Server

TINY = Path(__file__).parents[1] / "campaigns" / "tiny"
PATIENCE = 300
"""Seconds after which a test gives up; never a measure of anything."""

SETTINGS: dict[str, dict[str, Any]] = {
    "loop": {"batch_size": 12, "low_water": 0, "audit_block": 8},
    "stopping": {"mode": "off"},
    "labelstudio": {"timeout_seconds": 30},
    "scheduler": {
        "tick_seconds": 0.1,
        "poll_seconds": 0.2,
        "lease_seconds": 1,
        "retry_base_seconds": 0.1,
        "retry_cap_seconds": 0.5,
    },
}


def run_biasloop(workspace: Path, *arguments: str) -> None:
    """A command of the real CLI, which must succeed."""
    command = [sys.executable, "-m", "biasloop.cli.main", "--workspace", str(workspace), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def make_workspace(folder: Path, seed: int = 0, campaign: Path = TINY) -> Path:
    """A campaign imported, without a model; nothing need run for it."""
    asked = ("--campaign", str(campaign), "--seed", str(seed), "--example-ads")
    run_biasloop(folder, "init", str(folder), *asked)
    return folder


@contextmanager
def serving(workspace: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """`biasloop serve`, once its page answers; what it tells is in WORKSPACE/serve-PORT.log."""
    command = [sys.executable, "-m", "biasloop.cli.main", "-w", str(workspace), "serve"]
    environment = os.environ | {"BIASLOOP_WEB__PORT": str(port), "PYTHONFAULTHANDLER": "1"}

    def answers() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/").is_success
        except httpx.TransportError:
            return False

    with (
        (workspace / f"serve-{port}.log").open("ab") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            wait_until(answers)
            yield process
        finally:
            process.kill()


def stop(process: subprocess.Popen[bytes], log: Path) -> None:
    """Asks what is `serving` to stop, and sees that it does. If it does not, the error says where
    its threads are."""
    process.send_signal(signal.SIGTERM)
    try:
        status = process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)  # makes Python's fault handler write the stacks
        process.wait()
        status = None
    assert status == 0, log.read_text("utf-8")[-10_000:]


@contextmanager
def put_on(
    server: Server, workspace: Path, *, url: str | None = None, **changed: Any
) -> Iterator[Service]:
    """Points a workspace to the server (or to `url`, a proxy of it) and a project of its own.

    `changed` are sections of settings, such as loop={"budget": 12}.
    """
    sections = {name: SETTINGS.get(name, {}) | changed.get(name, {}) for name in SETTINGS | changed}
    sections["labelstudio"] = {"url": url or server.url} | sections["labelstudio"]
    path = workspace / SETTINGS_FILE
    seed = next(line for line in path.read_text("utf-8").splitlines() if line.startswith("seed"))
    lines = [seed]
    for name, section in sections.items():
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in section.items())]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    write_secrets(workspace, {"LABEL_STUDIO_TOKEN": server.token})
    about = workspace / "campaign" / "campaign.toml"
    title = f'"Prova {uuid4().hex[:12]}"'
    about.write_text(about.read_text("utf-8").replace('"Prova"', title), "utf-8")
    service = Service(workspace)
    try:
        yield service
    finally:
        service.label_studio.close()
        service.ledger.close()


def copy(workspace: Path, folder: Path) -> Path:
    """The same workspace once more."""
    shutil.copytree(workspace, folder)
    return folder


def gold(text: str) -> tuple[str, ...]:
    """What is right to say of a text of the tiny campaign."""
    found = [label for label, sign in (("gender", " un "), ("age", " anni")) if sign in text]
    return tuple(found) or ("inclusive",)


def person_at(service: Service, server: Server) -> Annotator:
    """Somebody who labels the project of this workspace."""
    return Annotator(server.url, server.token, service.ledger.control.bookmark(Bookmark.PROJECT))


def label_open(service: Service, server: Server, at_most: int = 1000, *, one: bool = False) -> int:
    """Somebody labels what the stream shows, in its order, with all that is right or with `one`
    label; returns how many."""
    if service.ledger.control.bookmark(Bookmark.PROJECT) is None:
        return 0
    with person_at(service, server) as person:
        for done in range(at_most):
            task = person.next_task()
            if task is None:
                return done
            right = gold(person.task(task)["data"]["text"])
            person.label(task, *(right[:1] if one else right))
    return at_most


def state(service: Service, round_id: int = 0) -> State | None:
    """Where a round is; None before it is opened."""
    rounds = service.ledger.rounds.all()
    return rounds[round_id].state if len(rounds) > round_id else None


def step_until(service: Service, wanted: State, round_id: int = 0) -> None:
    """Polls and ticks, in the foreground, until that round is in that state."""

    def turn() -> bool:
        service.poll()
        service.loop.tick()
        return state(service, round_id) is wanted

    wait_until(turn, lambda: str(service.ledger.rounds.all()))


def wait_until(reached: Callable[[], bool], seen: Callable[[], str] = str) -> None:
    """Looks again and again; fails, telling what it saw, when it never comes."""
    last = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < last, f"not reached; {seen()}"
        time.sleep(0.3)


def assert_known(service: Service, items: Iterable[str]) -> None:
    """Each of these items has one task in Label Studio, the one that the ledger knows."""
    known = {item: [task] for item, task in service.ledger.task_ids().items()}
    assert service.label_studio.task_ids(list(items)) == known


def tasks_of(service: Service) -> list[tuple[str, int]]:
    """(item, annotations) of every task in Label Studio, by item."""
    states = service.label_studio.changed_since(None)
    return sorted((state.item_id, len(state.annotations)) for state in states)
