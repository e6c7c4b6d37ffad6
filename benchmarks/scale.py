"""How far biasloop is from the bare bulk requests of Label Studio, in one run on one server.

    python -m benchmarks.scale [--tasks 50000] [--changes 100] [--json]

Push: the step (pool to tasks, a look whether they are there, import, a look at their ids, the
ledger) against the import requests of `bare_push`. Pull: a poll into an empty ledger (pages of
tasks with annotations, votes settled, the ledger) against the one export request of `bare_pull`,
parsed. Beside it one request per task, as a simple client does, on a sample of 100, extrapolated.
Incremental: a poll after some changes in a project of a tenth of the size and of the full size.
The annotator: one person asks and answers without pause while 5,000 tasks are pushed, on Label
Studio's SQLite and, where PostgreSQL is installed, on that.
"""

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

import httpx

from benchmarks.real import LABEL_CONFIG, Annotator, Server, add_server, label_studio
from biasloop.domain.batch import Arm, Selection
from biasloop.domain.item import Ad, real_item
from biasloop.domain.label import LabelSource
from biasloop.domain.split import Split
from biasloop.domain.votes.vote import VotePlan
from biasloop.labelstudio.client import LabelStudioClient
from biasloop.labelstudio.label_config import parse_label_config
from biasloop.rounds.poll import OVERLAP, poll
from biasloop.rounds.steps.push import push
from biasloop.store.ledger import Ledger
from biasloop.store.pool import ArrowPool

CONFIG = parse_label_config(LABEL_CONFIG, "inclusive")
BULK = 1_000
SAMPLE = 100
PUSHED_MEANWHILE = 5_000
FIRST = 200
PLAN = VotePlan(per_item=1, audit=1, tie_break=0)
RESULT = [
    {"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": ["age"]}}
]


# --- the bare script ------------------------------------------------------------------------------


def bare_push(http: httpx.Client, project: int, tasks: list[dict[str, Any]]) -> None:
    """Imports the given number of tasks a request."""
    for start in range(0, len(tasks), BULK):
        body = tasks[start : start + BULK]
        http.post(f"/api/projects/{project}/import", json=body).raise_for_status()


def bare_pull(http: httpx.Client, project: int) -> int:
    """Exports everything at once; the number of annotations."""
    answer = http.get(f"/api/projects/{project}/export", params={"exportType": "JSON"})
    return sum(len(task["annotations"]) for task in answer.raise_for_status().json())


def single_push(http: httpx.Client, project: int, tasks: list[dict[str, Any]]) -> None:
    """A request per task."""
    for task in tasks:
        http.post("/api/tasks/", json=task | {"project": project}).raise_for_status()


def single_pull(http: httpx.Client, ids: list[int]) -> None:
    """A request per task."""
    for task in ids:
        http.get(f"/api/tasks/{task}/annotations/").raise_for_status()


# --- the pieces -----------------------------------------------------------------------------------


class Testbed:
    """A server, a pool and a ledger, and projects on them."""

    def __init__(self, server: Server, folder: Path, texts: int) -> None:
        self.server, self.folder = server, folder
        self.http = httpx.Client(
            base_url=server.url, headers={"Authorization": f"Token {server.token}"}, timeout=600
        )
        self.pool = ArrowPool(folder / "pool")
        ads = [Ad(f"ad-{n}", f"Per la sede {n} cerchiamo chi guida. " * 3) for n in range(texts)]
        items = [real_item(ad, 0, len(ad.text), Split.TRAIN) for ad in ads]
        self.pool.append(items, ads)
        self.selections = [
            Selection(item.id, row, Arm.ACQUISITION, None, row) for row, item in enumerate(items)
        ]

    def client(self) -> LabelStudioClient:
        """A client with a new project."""
        client = LabelStudioClient(self.server.url, self.server.token, CONFIG, timeout=600)
        client.ensure_project(f"scale {uuid4().hex[:12]}", LABEL_CONFIG, "-")
        return client

    def ledger(self) -> Ledger:
        """A new one."""
        ledger = Ledger(f"sqlite:///{self.folder / f'{uuid4().hex}.db'}")
        ledger.migrate()
        ledger.rounds.open({}, datetime.now(UTC))
        return ledger

    def tasks(self, count: int, *, annotated: bool = False) -> list[dict[str, Any]]:
        """As the step sends them; with one annotation each, where asked."""
        rest = {"annotations": [{"result": RESULT}]} if annotated else {}
        return [
            {
                "data": {
                    "text": item.text,
                    "context": item.text,
                    "item_id": item.id,
                    "round": 0,
                }
            }
            | rest
            for item in self.pool.items([s.row for s in self.selections[:count]])
        ]

    def push(self, client: LabelStudioClient, ledger: Ledger, count: int) -> None:
        """The step, and its commit."""
        some = self.selections[:count]
        done = push(round_id=0, pool=self.pool, selections=some, label_studio=client)
        ledger.add(done.records, datetime.now(UTC), 0)

    def poll(self, client: LabelStudioClient, ledger: Ledger) -> int:
        """A poll into that ledger."""
        return poll(ledger, client, self.pool, CONFIG, lambda _: "policy", PLAN, datetime.now(UTC))


def seconds(work: Callable[[], Any]) -> float:
    """How long it took."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


def push_times(testbed: Testbed, count: int) -> dict[str, float]:
    """Seconds of the step, of the bare requests, and of one request a task (extrapolated)."""
    ours, bare, single = (testbed.client() for _ in range(3))
    ledger, tasks = testbed.ledger(), testbed.tasks(count)
    return {
        "bare": seconds(lambda: bare_push(testbed.http, bare.project, tasks)),
        "biasloop": seconds(lambda: testbed.push(ours, ledger, count)),
        "single": seconds(lambda: single_push(testbed.http, single.project, tasks[:SAMPLE]))
        * (count / SAMPLE),
    }


def pull_times(testbed: Testbed, count: int, changes: int) -> dict[str, float]:
    """Seconds of a first poll, of the bare export, of one request a task (extrapolated), and of a
    poll after a number of changes."""
    client, ledger = testbed.client(), testbed.ledger()
    bare_push(testbed.http, client.project, testbed.tasks(count, annotated=True))
    tasks_by_item = client.task_ids([s.item_id for s in testbed.selections[:changes]])
    ids = [task for tasks in tasks_by_item.values() for task in tasks]
    times = {
        "bare": seconds(lambda: bare_pull(testbed.http, client.project)),
        "biasloop": seconds(lambda: testbed.poll(client, ledger)),
        "single": seconds(lambda: single_pull(testbed.http, ids[:SAMPLE]))
        * (count / min(SAMPLE, len(ids))),
    }
    human = [a for a in ledger.annotations() if a.source is LabelSource.HUMAN]
    if len(human) != count:
        raise SystemExit(f"{len(human)} annotations of {count} arrived")
    with Annotator(testbed.server.url, testbed.server.token, client.project) as person:
        annotations = [a["id"] for task in ids for a in person.task(task)["annotations"]]
        # Past the overlap of two polls; then the cursor moves, then past it again.
        time.sleep(OVERLAP.total_seconds() + 1)
        person.change(annotations[0], "gender")
        testbed.poll(client, ledger)
        time.sleep(OVERLAP.total_seconds() + 1)
        for annotation in annotations:
            person.change(annotation, "gender")
        times["incremental"] = seconds(lambda: testbed.poll(client, ledger))
    changed = sum(a.labels == ("gender",) for a in ledger.annotations())
    if changed != len(ids):
        raise SystemExit(f"{changed} changes of {len(ids)} arrived")
    return times


def annotator_times(testbed: Testbed, pushed: int) -> dict[str, float]:
    """Requests of a person alone, and while a number of tasks are pushed: median and slowest."""
    client, ledger = testbed.client(), testbed.ledger()
    testbed.push(client, ledger, FIRST)
    with Annotator(testbed.server.url, testbed.server.token, client.project) as person:
        alone = list(islice(_answering(person), 40))
        done = threading.Event()

        def pushes() -> None:
            testbed.push(client, ledger, pushed + FIRST)
            done.set()

        pushing = threading.Thread(target=pushes)
        pushing.start()
        during_push = []
        for took in _answering(person):
            during_push.append(took)
            if done.is_set():
                break
        pushing.join()
    return {
        "alone_median": median(alone),
        "alone_slowest": max(alone),
        "median": median(during_push),
        "slowest": max(during_push),
        "requests": len(during_push),
    }


def _answering(person: Annotator) -> Iterator[float]:
    """Seconds of each request of somebody who asks for tasks and answers them."""
    while True:
        began = time.monotonic()
        task = person.next_task()
        yield time.monotonic() - began
        if task is None:
            continue
        began = time.monotonic()
        person.label(task, "age")
        yield time.monotonic() - began


@contextmanager
def on_postgresql() -> Iterator[Server | None]:
    """A Label Studio on a PostgreSQL of its own; None where none is installed."""
    from support.postgres_server import POSTGRESQL, running_postgresql

    if not POSTGRESQL:
        yield None
        return
    with running_postgresql() as url:
        parts = httpx.URL(url)
        settings = {
            "LABEL_STUDIO_DJANGO_DB": "default",
            "POSTGRE_NAME": "postgres",
            "POSTGRE_USER": parts.username,
            "POSTGRE_PASSWORD": "-",
            "POSTGRE_HOST": parts.host,
            "POSTGRE_PORT": str(parts.port),
        }
        with label_studio(None, None, **settings) as server:
            yield server


Line = dict[str, Any]


def measure(arguments: argparse.Namespace) -> Iterator[Line]:
    """Part by part, seconds."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(label_studio(arguments.label_studio, arguments.token))
        testbed = Testbed(server, folder, max(arguments.tasks, arguments.beside + FIRST))
        tenth = arguments.tasks // 10
        yield {
            "what": "push",
            "tasks": arguments.tasks,
            **ratio(push_times(testbed, arguments.tasks)),
        }
        for tasks in (tenth, arguments.tasks):
            times = ratio(pull_times(testbed, tasks, arguments.changes))
            yield {"what": "pull", "tasks": tasks, "changes": arguments.changes, **times}
        yield {"what": "annotator, SQLite", **annotator_times(testbed, arguments.beside)}
        if grown := stack.enter_context(on_postgresql()):
            (folder / "postgresql").mkdir()
            testbed = Testbed(grown, folder / "postgresql", arguments.beside + FIRST)
            yield {"what": "annotator, PostgreSQL", **annotator_times(testbed, arguments.beside)}


def ratio(times: dict[str, float]) -> dict[str, float]:
    """The times, and ours beside those of the bare requests."""
    return times | {"ratio": times["biasloop"] / times["bare"]}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=50_000)
    parser.add_argument("--changes", type=int, default=100)
    parser.add_argument(
        "--beside", type=int, default=PUSHED_MEANWHILE, help="tasks pushed meanwhile"
    )
    parser.add_argument("--json", action="store_true")
    add_server(parser)
    for line in measure(arguments := parser.parse_args()):
        figures = {k: round(v, 3) if isinstance(v, float) else v for k, v in line.items()}
        print(json.dumps(figures) if arguments.json else figures, flush=True)


if __name__ == "__main__":
    main()
