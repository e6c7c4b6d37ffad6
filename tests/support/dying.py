"""Runs a workspace until its round is closed, and dies by SIGKILL at the wanted moment.

`python dying.py WORKSPACE STEP before|in|after` or, to live, `python dying.py WORKSPACE`.
The product has no hook for this: the moment is found from outside, by wrapping what a step calls.
"""

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import biasloop.rounds.steps.aggregate
import biasloop.rounds.steps.select
from biasloop.domain.round import FINISHED, Done
from biasloop.labelstudio.client import LabelStudioClient
from biasloop.rounds.wiring import Steps
from biasloop.service.service import Service
from biasloop.store.batches import Batches
from biasloop.store.ledger import Ledger
from biasloop.store.pool import ArrowPool

Check = Callable[[], bool]


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dies_after(call: Callable[..., Any], worth: Callable[[Any], bool]) -> Callable[..., Any]:
    """The same call, and then death, if what it returned is worth it."""

    def wrapped(*arguments: Any, **named: Any) -> Any:
        returned = call(*arguments, **named)
        if worth(returned):
            die()
        return returned

    return wrapped


def inside(step: str, workspace: Path) -> tuple[Any, str, Callable[[Any], bool]]:
    """(owner, call, condition): in the midst of the step, one of its effects has just happened."""

    def child_works(_: object) -> bool:
        return any(workspace.glob(f"work/*-{step}/**/lock"))

    places = {
        "expand": (ArrowPool, "append"),
        "select": (biasloop.rounds.steps.select, "compose_batch"),
        "push": (LabelStudioClient, "_import"),
        "pull": (Batches, "items_with_task"),
        "poll": (Ledger, "record"),
        "aggregate": (biasloop.rounds.steps.aggregate, "settle_items"),
        "close": (shutil, "rmtree"),
    }
    if step in places:
        return (*places[step], bool if step == "poll" else lambda _: True)
    return time, "sleep", child_works  # the parent sleeps while its child works


def deadly(call: Callable[..., Any], step: str, moment: str, workspace: Path) -> Any:
    """The step, deadly at this moment. What only waits or finds nothing new is no moment."""

    def wrapped(*arguments: Any) -> Any:
        if moment == "before":
            die()
        with ExitStack() as stack:
            if moment == "in":
                owner, name, worth = inside(step, workspace)
                inner = dies_after(getattr(owner, name), worth)
                stack.enter_context(patch.object(owner, name, inner))
            outcome = call(*arguments)
        if moment == "after" and (isinstance(outcome, Done) or (step == "poll" and outcome)):
            die()
        return outcome

    return wrapped


def main(workspace: Path, step: str = "", moment: str = "") -> None:
    service = Service(workspace)
    poll = service.poll
    if step == "poll":
        poll = deadly(poll, step, moment, workspace)
    elif step:
        table = Steps.table

        def with_a_deadly_one(steps: Steps) -> Any:
            return (whole := table(steps)) | {step: deadly(whole[step], step, moment, workspace)}

        Steps.table = with_a_deadly_one  # type: ignore[method-assign]
    while not any(r.state in FINISHED for r in service.ledger.rounds.all()):
        poll()
        if told := service.loop.tick():
            print(told, flush=True)
        time.sleep(0.2)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
