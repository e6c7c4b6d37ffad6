"""`biasloop demo`: the real loop on a real Label Studio, with simulated annotators.

They use Label Studio's API as a browser does: sign in, fetch the next task, submit. Their answers
are the labels of the data, with noise.
"""

import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from biasloop.domain.item import text_hash
from biasloop.domain.label import Scheme
from biasloop.domain.round import FINISHED
from biasloop.errors import BiasloopError, DataError
from biasloop.intake.markup import without_markup
from biasloop.intake.objects import read_objects
from biasloop.intake.record import BadRow
from biasloop.intake.values import as_text, label_names
from biasloop.labelstudio.session import Session
from biasloop.reports.curve import curve
from biasloop.service.importing import import_file
from biasloop.service.service import Service
from biasloop.workspace.campaign import read_campaign, shipped
from biasloop.workspace.create import create_workspace
from biasloop.workspace.settings_file import SETTINGS_FILE

SEED_SHARE = 0.3
"""Share of the labelled rows that are imported as seeds; the others are the pool."""

Log = Callable[[str], None]
GoldLabels = Mapping[str, tuple[str, ...]]
"""Labels by text hash."""


@dataclass(frozen=True, slots=True)
class Demo:
    """The options of the command."""

    folder: Path
    campaign: str
    data: Path | None
    rounds: int
    batch: int
    annotators: int
    noise: float
    seed: int


def run_demo(demo: Demo, log: Log) -> list[dict[str, Any]]:
    """Runs the rounds and returns a row for each. The workspace stays, for inspection.

    Raises DataError, before anything is written, when there are too few data or they cannot be
    used.
    """
    rows = _read_rows(demo)
    create_workspace(demo.folder, demo.campaign, demo.seed)
    _write_settings(demo)
    service = Service(demo.folder)
    service.ledger.policies.add(service.campaign.policy, datetime.now(UTC))
    gold = _import_rows(service, demo, rows)
    log(f"{len(gold)} labelled texts; {SEED_SHARE:.0%} of them are seeds, the others the pool")
    with (
        service.embedded(log),
        _annotators_at_work(service, demo, gold, log),
        service.spare_child(),
        service.scheduler(log),
    ):
        _wait_for_rounds(service, demo.rounds)
    return rounds_table(service)


def rounds_table(service: Service) -> list[dict[str, Any]]:
    """A row per round: the number of human labels that its model learned from, micro F1 on audit
    items with its interval, and more."""
    points = {point.round: point for point in curve(service)}
    rows = []
    for round_ in service.ledger.rounds.all():
        point = points.get(round_.id)
        rows.append(
            {
                "round": round_.id,
                "labels": point and point.labels,
                "micro F1": str(point.micro_f1) if point and point.micro_f1 else None,
                "audit items": point and point.audit_items,
                "arms": " ".join(f"{k}={v}" for k, v in round_.facts.get("arms", {}).items()),
                "model": point and point.model,
            }
        )
    return rows


def _write_settings(demo: Demo) -> None:
    port = _free_port()
    path = demo.folder / SETTINGS_FILE
    lines = [
        "# Settings of the demo.",
        f"seed = {demo.seed}",
        "[loop]",
        f"batch_size = {demo.batch}",
        "low_water = 2",
        f"budget = {demo.rounds * demo.batch}",
        "[labelstudio]",
        f"port = {port}",
        "[scheduler]",
        "tick_seconds = 0.2",
        "poll_seconds = 1",
        "lease_seconds = 15",
    ]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _read_rows(demo: Demo) -> list[dict[str, Any]]:
    """The labelled rows, one per text, shuffled. Raises DataError."""
    configuration, seeds = shipped(demo.campaign)
    scheme = read_campaign(configuration).scheme
    files = [demo.data] if demo.data else sorted(seeds.glob("*.jsonl"))
    labelled = _labelled_rows([path for path in files if path.name != "ads.jsonl"], scheme)
    rows = list({text_hash(row["text"]): row for row in labelled}.values())
    needed = demo.rounds * demo.batch
    if len(rows) * (1 - SEED_SHARE) <= needed:
        raise DataError(
            f"{demo.rounds} rounds of {demo.batch} need over {needed / (1 - SEED_SHARE):.0f} "
            f"labelled texts, {demo.data or f'the seeds of {demo.campaign}'} have {len(rows)}; "
            "ask for less, or give more with --data"
        )
    random.Random(demo.seed).shuffle(rows)  # noqa: S311 - not for secrets
    return rows


def _import_rows(
    service: Service, demo: Demo, rows: list[dict[str, Any]]
) -> dict[str, tuple[str, ...]]:
    """Imports a share of the labelled rows as seeds and the others without their labels."""
    cut = round(len(rows) * SEED_SHARE)
    folder = service.layout.folder / "demo-data"
    folder.mkdir()
    _write_lines(folder / "seeds.jsonl", rows[:cut])
    _write_lines(
        folder / "pool.jsonl", [{"id": row["id"], "text": row["text"]} for row in rows[cut:]]
    )
    for name in ("seeds", "pool"):
        import_file(service, folder / f"{name}.jsonl", unit="text")
    return {text_hash(row["text"]): tuple(row["labels"]) for row in rows}


def _labelled_rows(paths: list[Path], scheme: Scheme) -> Iterator[dict[str, Any]]:
    for path in paths:
        for number, row in read_objects(path):
            try:
                labels = label_names(row)
                text = without_markup(as_text(row.get("text"), "text")).text.strip()
            except BadRow:
                labels = None
            if labels is None:
                raise DataError(
                    f'{path}, line {number}: not {{"text", "labels": […]}} or {{"text", "label"}}'
                ) from None
            if aside := scheme.reason_to_set_aside(labels):
                raise DataError(
                    f"{path}, line {number}: {aside}: {labels}; the campaign's labels are "
                    f"{', '.join(scheme.choices)}"
                )
            yield {"id": f"{path.stem}-{number}", "text": text, "labels": labels}


def _write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


@contextmanager
def _annotators_at_work(service: Service, demo: Demo, gold: GoldLabels, log: Log) -> Iterator[None]:
    """Runs simulated annotators, each with an account and a thread of its own, within the block."""
    project = service.ensure_project()
    stop = threading.Event()
    threads = []
    for number in range(1, demo.annotators + 1):
        email, password = f"annotator{number}@biasloop.local", f"demo-{number}-password"
        service.label_studio.add_annotator(email, password)
        session = Session(service.label_studio_url, email, password)
        answer = Answers(gold, service.campaign.scheme, demo.noise, demo.seed + number)
        threads.append(
            threading.Thread(
                target=_annotate, args=(session, project, service, answer, stop, log), daemon=True
            )
        )
    log(f"{demo.annotators} simulated annotators are signed in")
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


class Answers:
    """The answers of a simulated annotator: the gold labels, or with probability `noise` a random
    choice."""

    def __init__(self, gold: GoldLabels, scheme: Scheme, noise: float, seed: int) -> None:
        self._gold = gold
        self._scheme = scheme
        self._noise = noise
        self._random = random.Random(seed)  # noqa: S311 - not for secrets

    def __call__(self, text: str) -> list[str]:
        """The choices for this text."""
        if self._random.random() < self._noise:
            return [self._random.choice(self._scheme.choices)]
        return list(self._gold[text_hash(text)])


def _annotate(
    session: Session,
    project: int,
    service: Service,
    answer: Answers,
    stop: threading.Event,
    log: Log,
) -> None:
    controls = service.campaign.controls
    while not stop.is_set():
        try:
            task = session.next_task(project)
            if task is None:
                stop.wait(0.5)
                continue
            result = [
                {
                    "from_name": controls.choices,
                    "to_name": controls.text,
                    "type": "choices",
                    "value": {"choices": answer(task["data"][controls.value])},
                }
            ]
            session.submit(task["id"], result, seconds=1.0)
        except BiasloopError as error:
            log(f"a simulated annotator: {error}")
            stop.wait(2)


def _wait_for_rounds(service: Service, rounds: int) -> None:
    while True:
        over = [r for r in service.ledger.rounds.all() if r.state in FINISHED]
        if len(over) >= rounds:
            return
        time.sleep(0.5)
