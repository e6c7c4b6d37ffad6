"""A real Label Studio, workspaces on it and simulated annotators, for benchmarks.

The parts are those of the acceptance tests.
"""

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from biasloop.labelstudio.client import LabelStudioClient  # noqa: E402
from biasloop.labelstudio.embedded import EmbeddedLabelStudio  # noqa: E402
from biasloop.labelstudio.label_config import parse_label_config  # noqa: E402
from support import faults  # noqa: E402
from support.labelstudio_server import LABEL_CONFIG, Annotator, Server  # noqa: E402
from support.ports import free_port  # noqa: E402
from support.proxy import Fault, proxy_of  # noqa: E402
from support.served import (  # noqa: E402
    TINY,
    gold,
    put_on,
    run_biasloop,
    serving,
    state,
    wait_until,
)

__all__ = [
    "LABEL_CONFIG",
    "Annotator",
    "Fault",
    "Server",
    "faults",
    "free_port",
    "proxy_of",
    "put_on",
    "serving",
    "state",
    "wait_until",
]

PASSWORD = "a-long-Password-3"  # noqa: S105 - of throw-away accounts
RETRY_SECONDS = 1.0
"""How long an annotator with an empty queue waits before trying again."""
WORDS = ("un cuoco", "una cuoca", "una persona", "un autista sotto i 30 anni", "chi guida")


def add_server(parser: argparse.ArgumentParser) -> None:
    """Adds options that name a running Label Studio."""
    parser.add_argument("--label-studio", help="URL of one that runs (default: starts one)")
    parser.add_argument("--token", help="of its administrator")


class _LabelStudio(EmbeddedLabelStudio):
    """An embedded Label Studio with `settings` of its own that biasloop does not use."""

    settings: Mapping[str, str] = {}

    def _environment(self) -> dict[str, str]:
        return super()._environment() | dict(self.settings)


@contextmanager
def label_studio(url: str | None, token: str | None, **settings: str) -> Iterator[Server]:
    """The named server, or an embedded one in a temporary folder with these settings."""
    if url and token:
        yield Server(url, "", "", token, Path())
        return
    email, password, token = "admin@example.org", "a-long-Password-1", "0123456789" * 4
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = _LabelStudio(
            Path(sys.prefix + "-labelstudio"),
            Path(folder),
            free_port(),
            email=email,
            password=password,
            token=token,
            on_line=lambda _: None,
        )
        server.settings = settings
        with server:
            yield Server(server.url, email, password, token, Path(folder))


def make_workspace(folder: Path, texts: int, seed: int) -> Path:
    """Makes a workspace of the tests' tiny campaign with this many distinct texts."""
    run_biasloop(folder, "init", str(folder), "--campaign", str(TINY), "--seed", str(seed))
    ads = folder.parent / "ads.jsonl"
    with ads.open("w", encoding="utf-8") as lines:
        for number in range(texts):
            text = f"Per la sede {number} cerchiamo {WORDS[number % len(WORDS)]} con patente."
            lines.write(json.dumps({"id": f"ad-{number}", "text": text}) + "\n")
    run_biasloop(folder, "import", str(ads))
    return folder


class SimulatedAnnotator(threading.Thread):
    """Labels the tasks of the stream until `stop`; sometimes skips, changes or deletes.

    `pace` returns how many seconds the next item takes. `answers` holds what Label Studio
    confirmed: labels by annotation id, () for a skip, None for a deleted one. `labelled` and
    `waited` are the seconds at work and with an empty queue, `unsure` counts requests whose outcome
    is unknown.
    """

    def __init__(
        self, session: Annotator, pace: Callable[[], float], seed: int, stop: threading.Event
    ) -> None:
        super().__init__(daemon=True)
        self.answers: dict[int, tuple[str, ...] | None] = {}
        self.unsure = 0
        self.labelled = self.waited = 0.0
        self._session, self._pace, self._stop_now = session, pace, stop
        self._random = random.Random(seed)  # noqa: S311

    def run(self) -> None:
        while not self._stop_now.is_set():
            began = time.monotonic()
            try:
                had_task = self._turn()
            except httpx.HTTPStatusError:
                had_task = True  # withdrawn meanwhile
            except httpx.TransportError:
                had_task = True
                self.unsure += 1
            spent = time.monotonic() - began
            self.labelled, self.waited = (
                (self.labelled + spent, self.waited) if had_task
                else (self.labelled, self.waited + spent)
            )  # fmt: skip

    def _turn(self) -> bool:
        task = self._session.next_task()
        if task is None:
            self._stop_now.wait(RETRY_SECONDS)
            return False
        if self._stop_now.wait(self._pace()):
            return True
        if self._random.random() < 0.03:
            self.answers[self._session.skip(task)] = ()
        else:
            labels = gold(self._session.task(task)["data"]["text"])
            self.answers[self._session.label(task, *labels)] = labels
        earlier = self._random.choice(list(self.answers))
        chance = self._random.random()
        if self.answers[earlier] and chance < 0.08:
            self._session.change(earlier, "age")
            self.answers[earlier] = ("age",)
        elif self.answers[earlier] and chance < 0.10:
            self._session.delete(earlier)
            self.answers[earlier] = None
        return True


def add_annotators(
    server: Server,
    project: int,
    count: int,
    pace: Callable[[], float],
    seed: int,
    stop: threading.Event,
) -> list[SimulatedAnnotator]:
    """Creates `count` annotators with accounts of their own, who bypass the proxy. They are not
    started yet."""
    annotators = []
    config = parse_label_config(LABEL_CONFIG, "inclusive")
    with LabelStudioClient(server.url, server.token, config, project) as client:
        for number in range(count):
            email = f"{uuid4().hex[:12]}@example.org"
            client.add_annotator(email, PASSWORD)
            signed_in = Annotator.sign_in(server.url, email, PASSWORD, project)
            annotators.append(SimulatedAnnotator(signed_in, pace, seed + number, stop))
    return annotators


@contextmanager
def at_work(annotators: Sequence[SimulatedAnnotator], stop: threading.Event) -> Iterator[None]:
    """Runs the annotators within the block."""
    for annotator in annotators:
        annotator.start()
    try:
        yield
    finally:
        stop.set()
        for annotator in annotators:
            annotator.join()
