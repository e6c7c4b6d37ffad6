"""Everything goes wrong at once, for a given time: is any annotation lost or doubled?

    python -m benchmarks.soak [--minutes 120] [--people 20] [--seed 0] [--json]

Simulated annotators label on a real Label Studio at human speed (a log-normal time per item, 8 s in
the middle) and, a fifth of the time, in bursts (0.5 s); they skip, change and delete. Between the
service and Label Studio stands a proxy that fails at random; the service is killed (SIGKILL) at
random and started again. That begins with the first batch. At the end the people stop, the proxy
forwards, and once a poll brings nothing new ledger, Label Studio and what the people were told are
compared, annotation by annotation, before any reconciliation. Exits with 1 unless nothing is lost,
doubled or different.
"""

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.real import (
    Fault,
    SimulatedAnnotator,
    add_annotators,
    add_server,
    at_work,
    faults,
    free_port,
    label_studio,
    make_workspace,
    proxy_of,
    put_on,
    serving,
    state,
    wait_until,
)
from biasloop.domain.annotation import Standing
from biasloop.domain.label import LabelSource
from biasloop.domain.round import FINISHED, State
from biasloop.service.service import Service

TIMEOUT = 10.0
FAULTS = faults.all_faults(TIMEOUT)
SHARE = 0.05
"""Share of the requests that meet a fault."""
HUMAN, BURST, BURST_EVERY = 8.0, 0.5, 120.0
"""Seconds per item, normally and in a burst; a burst takes a fifth of each period of BURST_EVERY
seconds."""
ITEMS_A_SECOND = 0.7
"""Items that one annotator answers on average, with a margin."""
SETTINGS: dict[str, Any] = {
    "loop": {"batch_size": 60, "low_water": 25, "budget": 10**6, "audit_block": 20},
    "stopping": {"mode": "advise"},
    "labelstudio": {"timeout_seconds": TIMEOUT},
    "scheduler": {
        "tick_seconds": 0.5,
        "poll_seconds": 2,
        "lease_seconds": 10,
        "retry_base_seconds": 0.5,
        "retry_cap_seconds": 5,
    },
}


class Mischief:
    """Chooses faults at random, by its own seeded numbers, while it is `on`."""

    def __init__(self, seed: int) -> None:
        self.on = True
        self.done: Counter[str] = Counter()
        self._random = random.Random(seed)  # noqa: S311
        self._lock = threading.Lock()

    def __call__(self, method: str, path: str) -> Fault | None:
        with self._lock:
            if not self.on or self._random.random() > SHARE:
                return None
            fault = self._random.choice(FAULTS)
            self.done[fault.__qualname__.partition(".")[0]] += 1
            return fault


def random_pace(seed: int) -> Any:
    """A function that returns the seconds for an annotator's next item."""
    rng = random.Random(seed)  # noqa: S311

    def pace() -> float:
        burst = time.monotonic() % BURST_EVERY < BURST_EVERY / 5
        return rng.lognormvariate(0, 0.5) * (BURST if burst else HUMAN)

    return pace


def serve_and_kill(service: Service, seconds: float, every: float, seed: int) -> int:
    """Runs the service for `seconds`, killing it every `every` seconds on average; returns the
    number of kills."""
    rng, end, kills = random.Random(seed), time.monotonic() + seconds, 0  # noqa: S311
    while (left := end - time.monotonic()) > 0:
        with serving(service.layout.folder, free_port()) as process:
            time.sleep(min(left, rng.uniform(0.5, 1.5) * every))
            process.kill()  # SIGKILL
            kills += 1
    return kills


def compare(service: Service, annotators: Sequence[SimulatedAnnotator]) -> dict[str, int]:
    """Compares the ledger with Label Studio and with what was confirmed to annotators."""
    server_labels: dict[str, tuple[str, ...]] = {}
    tasks: Counter[str] = Counter()
    for task in service.label_studio.changed_since(None):
        tasks[task.item_id] += 1
        for raw in task.annotations:
            server_labels[f"ls:{raw.id}"] = tuple(
                label for region in raw.result for label in region["value"].get("choices", ())
            )
    live = {
        a.key: a
        for a in service.ledger.annotations()
        if a.source is LabelSource.HUMAN and a.standing is not Standing.DELETED
    }
    confirmed = {
        f"ls:{i}": labels for annotator in annotators for i, labels in annotator.answers.items()
    }
    confirmed_keys = {key for key, labels in confirmed.items() if labels is not None}
    counted = {key for key, a in live.items() if a.standing is not Standing.ASIDE}
    votes = Counter(a.item_id for a in live.values() if a.standing is Standing.VOTE)
    plan = service.settings.vote_plan
    audit = service.ledger.audit_items(list(votes))
    max_votes = {
        item: plan.audit + plan.tie_break if item in audit else plan.per_item for item in votes
    }
    return {
        "annotations": len(server_labels),
        "lost": len((server_labels.keys() | confirmed_keys) - live.keys()),
        "doubled": len(counted - server_labels.keys())
        + sum(n > max_votes[i] for i, n in votes.items()),
        "different": sum(
            set(live[key].labels) != set(labels)
            for key, labels in server_labels.items()
            if key in live
        ),
        "untold": len(server_labels.keys() - confirmed_keys)
        - sum(annotator.unsure for annotator in annotators),
        "doubled_tasks": sum(n > 1 for n in tasks.values()),
    }


def soak(arguments: argparse.Namespace) -> dict[str, Any]:
    """Runs the soak; returns figures by name."""
    seconds, stop, mischief = arguments.minutes * 60, threading.Event(), Mischief(arguments.seed)
    with ExitStack() as stack:
        server = stack.enter_context(label_studio(arguments.label_studio, arguments.token))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        texts = round(arguments.people * seconds * ITEMS_A_SECOND) + 200
        workspace = make_workspace(folder / "workspace", texts, arguments.seed)
        proxy = stack.enter_context(proxy_of(server.url))
        service = stack.enter_context(put_on(server, workspace, url=proxy.url, **SETTINGS))
        service.ensure_project()
        annotators = add_annotators(
            server,
            service.label_studio.project,
            arguments.people,
            random_pace(arguments.seed),
            arguments.seed,
            stop,
        )
        with serving(workspace, free_port()):
            wait_until(lambda: state(service) is State.PUSHED)
        proxy.any = mischief
        began = time.monotonic()
        with at_work(annotators, stop):
            kills = serve_and_kill(service, seconds, arguments.kill_every, arguments.seed)
        lasted = time.monotonic() - began
        mischief.on = False
        while service.poll():
            pass
        differences = compare(service, annotators)
        reconciled = service.reconcile()
        rounds = service.ledger.rounds.all()
    return {
        "minutes": round(lasted / 60, 1),
        "people": arguments.people,
        "seed": arguments.seed,
        "kills": kills,
        "faults": dict(sorted(mischief.done.items())),
        "rounds_closed": sum(r.state in FINISHED for r in rounds),
        **differences,
        "waited_share": round(
            sum(p.waited for p in annotators) / sum(p.waited + p.labelled for p in annotators), 3
        ),
        "reconciled": reconciled.changed + reconciled.lost,
    }


def main() -> None:
    """Runs the soak and says what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--kill-every", type=float, default=180, help="mean seconds between kills")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    add_server(parser)
    found = soak(arguments := parser.parse_args())
    if arguments.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:20} {value}")
    sys.exit(any(found[name] for name in ("lost", "doubled", "different")))


if __name__ == "__main__":
    main()
