"""How long annotators wait with an empty queue while models train.

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
    add_annotators,
    add_server,
    at_work,
    label_studio,
    make_workspace,
    put_on,
    state,
    wait_until,
)
from biasloop.domain.round import AFTER_LABELLING, Done, Round, State
from biasloop.rounds.child import Heartbeat
from biasloop.rounds.wiring import Steps
from biasloop.workspace.settings import LoopSettings, SchedulerSettings, VotesSettings

TRAINING, HUMAN = 600.0, 12.0


def measure(
    server: Server, count: int, arguments: argparse.Namespace, folder: Path
) -> dict[str, Any]:
    """Figures of `count` annotators, among them the share of their time with an empty queue."""
    seconds = arguments.minutes * 60
    batch = max(50, 10 * count)
    texts = round(1.5 * count * seconds * arguments.factor / HUMAN) + 4 * batch
    workspace = make_workspace(folder / f"workspace-{count}", texts, arguments.seed)
    loop = LoopSettings(batch_size=batch, budget=10**6)
    pace = SchedulerSettings()
    settings = {
        "loop": loop.model_dump(),
        "votes": VotesSettings().model_dump(),
        "scheduler": {
            "tick_seconds": pace.tick_seconds / arguments.factor,
            "poll_seconds": pace.poll_seconds / arguments.factor,
        },
        "stopping": {"mode": "advise"},
    }
    rng, stop, train = random.Random(arguments.seed), threading.Event(), Steps.train  # noqa: S311
    trainings: list[float] = []

    def slow_train(steps: Steps, round_: Round, heartbeat: Heartbeat) -> Done:
        began = time.monotonic()
        done = train(steps, round_, heartbeat)
        stop.wait(TRAINING / arguments.factor - (time.monotonic() - began))
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
            annotators = add_annotators(
                server,
                service.label_studio.project,
                count,
                lambda: rng.lognormvariate(0, 0.5) * HUMAN / arguments.factor,
                arguments.seed,
                stop,
            )
            with at_work(annotators, stop):
                time.sleep(seconds)
        finally:
            stop.set()
            scheduler.stop()
        rounds = service.ledger.rounds.all()
    spent = sum(annotator.waited + annotator.labelled for annotator in annotators)
    return {
        "people": count,
        "batch": batch,
        "share_waiting": round(sum(annotator.waited for annotator in annotators) / spent, 4),
        "labelled": sum(len(annotator.answers) for annotator in annotators),
        "rounds": len(rounds),
        "waiting_to_train": sum(r.state in AFTER_LABELLING for r in rounds),
        "trainings": len(trainings),
    }


def main() -> None:
    """Measures every number of annotators."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, nargs="+", default=[1, 5, 20])
    parser.add_argument("--factor", type=float, default=5)
    parser.add_argument("--minutes", type=float, default=5, help="of each crowd, on the wall")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    add_server(parser)
    arguments = parser.parse_args()
    with ExitStack() as stack:
        server = stack.enter_context(label_studio(arguments.label_studio, arguments.token))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for count in arguments.people:
            figures = measure(server, count, arguments, folder)
            line = json.dumps(figures) if arguments.json else figures
            print(line, flush=True)


if __name__ == "__main__":
    main()
