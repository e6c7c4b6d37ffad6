"""How long annotators sit before an empty queue while models train.

    python -m benchmarks.waiting [--people 1 5 20] [--factor 5] [--minutes 5]

The real scheduler and steps on a real Label Studio; a training lasts 10 minutes at least, a person
needs 12 s per item (log-normal, sigma 0.5), the scheduler looks as often as it does by default: all
divided by one common `factor`, so that everything else (expand, score, select, push, Label Studio
itself) is slower beside them than in life. Settings are the defaults, but for the batch (10 tasks
per person, 50 at least), an endless budget, and the tests' short leases and retries. The first
batch is pushed before the clock starts.
"""

import argparse
import json
import random
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.real import (
    Server,
    add_server,
    at_work,
    hire,
    label_studio,
    put_on,
    state,
    wait_until,
    workspace_of,
)
from biasloop.domain.round import AFTER_LABELLING, Done, Round, State
from biasloop.rounds.child import Heartbeat
from biasloop.rounds.wiring import Steps
from biasloop.workspace.settings import LoopSettings, SchedulerSettings, VotesSettings

TRAINING, HUMAN = 600.0, 12.0


def measure(server: Server, count: int, asked: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """One crowd of so many people; the share of their time with an empty queue."""
    seconds = asked.minutes * 60
    batch = max(50, 10 * count)
    texts = round(1.5 * count * seconds * asked.factor / HUMAN) + 4 * batch
    workspace = workspace_of(folder / f"workspace-{count}", texts, asked.seed)
    loop = LoopSettings(batch_size=batch, budget=10**6)
    pace = SchedulerSettings()
    settings = {
        "loop": loop.model_dump(),
        "votes": VotesSettings().model_dump(),
        "scheduler": {
            "tick_seconds": pace.tick_seconds / asked.factor,
            "poll_seconds": pace.poll_seconds / asked.factor,
        },
        "stopping": {"mode": "advise"},
    }
    rng, stop, train = random.Random(asked.seed), threading.Event(), Steps.train  # noqa: S311
    trainings: list[float] = []

    def slow_train(steps: Steps, round_: Round, heartbeat: Heartbeat) -> Done:
        began = time.monotonic()
        done = train(steps, round_, heartbeat)
        stop.wait(TRAINING / asked.factor - (time.monotonic() - began))
        trainings.append(time.monotonic() - began)
        return done

    with (
        patch.object(Steps, "train", slow_train),
        put_on(server, workspace, **settings) as service,
    ):
        scheduler = service.scheduler(lambda _: None)
        scheduler.start()
        try:
            wait_until(lambda: state(service) is State.PUSHED)
            people = hire(
                server,
                service.label_studio.project,
                count,
                lambda: rng.lognormvariate(0, 0.5) * HUMAN / asked.factor,
                asked.seed,
                stop,
            )
            with at_work(people, stop):
                time.sleep(seconds)
        finally:
            stop.set()
            scheduler.stop()
        rounds = service.ledger.rounds.all()
    spent = sum(p.waited + p.labelled for p in people)
    return {
        "people": count,
        "batch": batch,
        "share_waiting": round(sum(p.waited for p in people) / spent, 4),
        "labelled": sum(len(p.said) for p in people),
        "rounds": len(rounds),
        "waiting_to_train": sum(r.state in AFTER_LABELLING for r in rounds),
        "trainings": len(trainings),
    }


def main() -> None:
    """Measures every crowd."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, nargs="+", default=[1, 5, 20])
    parser.add_argument("--factor", type=float, default=5)
    parser.add_argument("--minutes", type=float, default=5, help="of each crowd, on the wall")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    add_server(parser)
    asked = parser.parse_args()
    with ExitStack() as stack:
        server = stack.enter_context(label_studio(asked.label_studio, asked.token))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for count in asked.people:
            found = measure(server, count, asked, folder)
            told = json.dumps(found) if asked.json else found
            print(told, flush=True)


if __name__ == "__main__":
    main()
