"""kill -9 before, in and after every step: after restarts the round ends as if nothing had been.

One round dies three times at every step. The tests go with it, in this order: each takes it from
where the one before left it, the last one to its end.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest

from biasloop.domain.batch import Arm
from biasloop.domain.label import LabelSource
from biasloop.domain.round import STEPS, State
from biasloop.service.service import Service
from support.labelstudio_server import Server
from support.ports import free_port
from support.served import (
    PATIENCE,
    copy,
    label_open,
    put_on,
    run_biasloop,
    serving,
    state,
    step_until,
    stop,
    tasks_of,
    wait_until,
)

DYING = Path(__file__).parents[1] / "support" / "dying.py"
BATCH = 12
ONE_ROUND = {"loop": {"budget": BATCH}}
EVERY_PART = ONE_ROUND | {"stopping": {"mode": "advise"}}
"""The round that is compared has advice on stopping too."""
KILLS = (
    "expand",
    "score",
    "select",
    "push",
    "poll",
    "pull",
    "aggregate",
    "train",
    "evaluate",
    "close",
)
VARYING = {"expanded", "preparation_minutes", "labels_per_minute", "low_water"}
"""Facts that depend on the time that something took."""
LABELS = 2
"""How many tasks somebody labels before each restart: some are new at every death of the poll."""


def run(service: Service, *death: str) -> int:
    """Runs the workspace in a process of its own; returns how it ended."""
    command = [sys.executable, str(DYING), str(service.layout.folder), *death]
    return subprocess.run(command, timeout=PATIENCE, check=False).returncode


def outcome(service: Service) -> dict[str, Any]:
    """Everything that must be the same whether somebody died or not."""
    ledger = service.ledger
    round_ = ledger.rounds.get(0)
    human = [a for a in ledger.annotations() if a.source is LabelSource.HUMAN]
    return {
        "facts": {key: value for key, value in round_.facts.items() if key not in VARYING},
        "events": [e["kind"] for e in reversed(ledger.control.events(1000)) if e["round_id"] == 0],
        "batch": [(s.item_id, s.arm, s.probability) for _, s in ledger.selections()],
        "tasks": tasks_of(service),
        "votes": sorted((a.item_id, a.labels, a.standing) for a in human),
        "versions": ledger.sequence(),
        "pool": service.pool.column("id").tolist(),
        "consensus": ledger.consensus(),
        "trained_on": ledger.models.trained_on("r0000"),
        "card": ledger.models.get("r0000").card,
        "reports": [found.report for _, found in ledger.models.evaluations()],
        "in service": [promotion.model_id for _, promotion in ledger.models.promotions()][1:],
        "left over": list((service.layout.folder / "work").iterdir()),
    }


@pytest.fixture(scope="module")
def undisturbed(
    tiny_trained: Path, tmp_path_factory: pytest.TempPathFactory, label_studio_server: Server
) -> dict[str, Any]:
    """What comes of the round when nobody dies."""
    workspace = copy(tiny_trained, tmp_path_factory.mktemp("calm") / "workspace")
    with put_on(label_studio_server, workspace, **EVERY_PART) as service:
        step_until(service, State.PUSHED)
        assert label_open(service, label_studio_server) == BATCH
        step_until(service, State.CLOSED)
        return outcome(service)


@pytest.fixture(scope="module")
def shaken(
    tiny_trained: Path, tmp_path_factory: pytest.TempPathFactory, label_studio_server: Server
) -> Iterator[Service]:
    """The workspace whose round dies again and again."""
    workspace = copy(tiny_trained, tmp_path_factory.mktemp("shaken") / "workspace")
    with put_on(label_studio_server, workspace, **EVERY_PART) as service:
        yield service


def test_the_undisturbed_round_is_whole(undisturbed: dict[str, Any]) -> None:
    assert undisturbed["events"] == ["opened", *(state for _, state in STEPS.values())]
    assert len(undisturbed["batch"]) == len(undisturbed["votes"]) == BATCH
    assert undisturbed["tasks"] == sorted((item_id, 1) for item_id, _, _ in undisturbed["batch"])
    assert [report["audit"]["n_items"] > 0 for report in undisturbed["reports"]] == [True]
    assert undisturbed["left over"] == []


@pytest.mark.parametrize("step", KILLS)
def test_a_process_dies(step: str, shaken: Service, label_studio_server: Server) -> None:
    for moment in ("before", "in", "after"):
        label_open(shaken, label_studio_server, LABELS)
        assert run(shaken, step, moment) == -SIGKILL, f"{moment} {step}"


def test_the_round_ends_as_if_nothing_had_happened(
    shaken: Service, undisturbed: dict[str, Any]
) -> None:
    assert run(shaken) == 0
    assert outcome(shaken) == undisturbed


def test_what_is_imported_while_it_is_dead_is_scored(
    tiny_trained: Path, tmp_path: Path, label_studio_server: Server
) -> None:
    workspace = copy(tiny_trained, tmp_path / "workspace")
    with put_on(label_studio_server, workspace) as service:
        assert run(service, "score", "after") == -SIGKILL
        news = tmp_path / "news.jsonl"
        news.write_text('{"id": "new", "text": "Assumiamo personale di guida a Como."}\n', "utf-8")
        run_biasloop(workspace, "import", str(news))
        step_until(service, State.PUSHED)
        assert service.ledger.rounds.get(0).facts["pool_rows"] == len(service.pool)


def test_what_is_taken_down_while_it_is_dead_is_not_learned(
    tiny: Path, tmp_path: Path, label_studio_server: Server
) -> None:
    with put_on(label_studio_server, copy(tiny, tmp_path / "workspace"), **ONE_ROUND) as service:
        step_until(service, State.PUSHED)
        label_open(service, label_studio_server)
        assert run(service, "train", "after") == -SIGKILL
        gone = next(s for _, s in service.ledger.selections() if s.arm is Arm.ACQUISITION)
        (item,) = service.pool.items([gone.row])
        run_biasloop(service.layout.folder, "takedown", item.ad_id)
        step_until(service, State.CLOSED)
        learned = service.ledger.models.trained_on("r0000")
        assert gone.item_id not in learned
        assert sum(service.ledger.models.get("r0000").card["rows"].values()) == len(learned)


def test_the_service_dies_and_is_started_again(
    tiny_trained: Path, tmp_path: Path, label_studio_server: Server
) -> None:
    server, port = label_studio_server, free_port()
    workspace = copy(tiny_trained, tmp_path / "workspace")

    def votes() -> int:
        return service.ledger.sequence() - before

    with put_on(server, workspace, web={"port": port}, **ONE_ROUND) as service:
        before = service.ledger.sequence()
        with serving(service.layout.folder, port) as process:
            wait_until(lambda: state(service) is State.PUSHED)
            label_open(service, server, 5)
            wait_until(lambda: votes() == 5)
            process.send_signal(SIGKILL)
            assert process.wait() == -SIGKILL
        label_open(service, server, 4)
        with serving(service.layout.folder, port) as process:
            wait_until(lambda: votes() == 9)
            label_open(service, server)
            wait_until(lambda: state(service) is State.CLOSED)
            stop(process, service.layout.folder / f"serve-{port}.log")
        batch = sorted((s.item_id, 1) for _, s in service.ledger.selections())
        assert tasks_of(service) == batch
        assert votes() == len(batch) == BATCH
