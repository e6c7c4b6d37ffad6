"""Probation in the loop: models learn from wrongly labelled texts until these are reviewed.

The rounds are real, except for Label Studio and its annotators.
"""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from biasloop.domain.round import State
from biasloop.domain.task import LabelTask
from biasloop.reports.status import overview
from biasloop.service.importing import import_file
from biasloop.service.service import Service
from biasloop.workspace.create import create_workspace
from support.cli import Cli, write_jsonl
from support.llm_model import WORDS, gold, obedient, properties, quoted
from support.llm_server import Asked, LlmServer, structured
from support.llm_workspaces import TINY, label_as_people, point_to, real_items

ADS = 150
OTHER = {"gender": "age", "age": "gender"}


def mistaken(asked: Asked) -> dict[str, Any]:
    """A model that confuses the two labels, when it writes and when it judges."""
    if "labels" in properties(asked):
        (text,) = quoted(asked["messages"][1]["content"])[-1:]
        labels = [OTHER.get(label, label) for label in gold(text)]
        return {"reason": "Lo dicono le parole.", "labels": labels}
    swap = str.maketrans({"\x00": "gender", "\x01": "age"})
    messages = [
        message
        | {
            "content": message["content"]
            .replace("gender", "\x01")
            .replace("age", "\x00")
            .translate(swap)
        }
        for message in asked["messages"][:2]
    ]
    return obedient(asked | {"messages": messages})


def ads() -> list[dict[str, str]]:
    """Short ads, each of a few words from many."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(ADS):
        a, b = rng.choice(WORDS, 2)
        who = "un socio" if rng.random() < 0.5 else "soci"
        age = " sotto i 40 anni" if rng.random() < 0.5 else ""
        rows.append({"id": f"ad-{i}", "text": f"Per {a} e {b} {who}{age}, numero {i}."})
    return rows


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    folder = tmp_path / "workspace"
    create_workspace(folder, str(TINY), 0)
    with LlmServer(structured(mistaken)).listening() as server:
        point_to(folder, server.url, texts=30)
        with (folder / "biasloop.toml").open("a") as file:
            file.write("[probation]\nunproven_weight = 0.5\n")
            file.write("[scheduler]\npoll_seconds = 0.1\n")
            file.write('[stopping]\nmode = "off"\n')
            file.write("[loop]\nbatch_size = 10\nbudget = 20\naudit_block = 0\naudit_share = 0\n")
        opened = Service(folder)
        for path in (*opened.campaign.seed_files, write_jsonl(tmp_path / "ads.jsonl", *ads())):
            import_file(opened, path)
        tasks: Any = Tasks()
        opened.__dict__["steps"] = replace(
            opened.steps, label_studio=lambda: tasks, ensure_project=lambda: 1
        )
        yield opened
        opened.ledger.close()


class Tasks:
    """Stands in for Label Studio, of which only `push` is needed."""

    def push(self, tasks: Sequence[LabelTask], **_: Any) -> dict[str, int]:
        return {task.item_id: number for number, task in enumerate(tasks, 1)}


def close_round(service: Service, round_id: int, labelled: int = 0) -> dict[str, Any]:
    """Ticks until this round is over and returns its model's card. Once the batch is pushed, it and
    `labelled` more ads are labelled."""
    run_until(service, round_id, State.PUSHED)
    batch = [selection.item_id for _, selection in service.ledger.selections(round_id)]
    more = [item.id for item in real_items(service)[:labelled]]
    for item in service.pool.items(service.pool.rows_of(batch + more)):
        label_as_people(service, [item], tuple(gold(item.text)))
    run_until(service, round_id, State.CLOSED)
    return dict(service.ledger.models.get(f"r{round_id:04d}").card)


def run_until(service: Service, round_id: int, state: State) -> None:
    while (round_id, state) not in [(r.id, r.state) for r in service.ledger.rounds.all()]:
        report = service.loop.tick()
        assert "failed" not in (report or ""), report
        if report is None:
            time.sleep(0.05)


def test_poison_teaches_nothing_once_it_was_reviewed(service: Service) -> None:
    card = close_round(service, 0)
    assert (card["versions"]["cutter"], card["versions"]["normaliser"]) == (2, 2)
    taught = card["rows"]["llm"]
    assert taught > 10
    assert card["probation"] == {"weights": {"0.5": taught}, "review": None}
    record = service.ledger.rounds.get(0).facts["probation"]
    assert (record["kept"], record["texts"]) == (None, taught)
    assert service.ledger.reviews() == []
    now = overview(service).probation
    assert now is not None
    assert (now.teach, now.texts, now.review) == (taught, taught, None)
    assert now.unmeasured == record["why"]

    card = close_round(service, 1, labelled=100)
    ((round_id, review),) = service.ledger.reviews()
    assert (round_id, review.kept) == (1, False)
    assert review.texts == taught
    figures = json.loads(json.dumps(review.as_dict()))
    assert service.ledger.rounds.get(1).facts["probation"] == figures
    refused = {"weights": {"0.0": review.texts}, "review": figures}
    assert "llm" not in card["rows"]
    assert card["probation"] == refused

    cli = Cli(service.layout.folder)
    n = review.texts
    unused = f"0 of {n} texts by a language model are used for training"
    line = f"{unused}; round 1 refused {n}: {review.why}"
    assert line in cli("status")
    trained = cli.json("train")["card"]  # the next one, by hand: the same verdict
    assert "llm" not in trained["rows"]
    assert trained["probation"]["review"] == refused["review"]
