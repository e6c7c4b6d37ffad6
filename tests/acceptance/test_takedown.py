"""A takedown leaves nothing of an ad, wherever its text had come to stand."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from biasloop.service.service import Service
from support.cli import Cli, write_jsonl
from support.disk_contents import places_of
from support.labelstudio_server import Annotator, Server

WORDS = {"zorblaqui", "klarvixi", "trompekk"}
"""Stems that occur in no other ad."""
AD = {
    "id": "ad-gone",
    "title": "Zorblaquista",
    "source": "Klarvixi SpA",
    "text": "Cerchiamo uno zorblaquista giovane. Il commesso curerà il trompekko e la sala.",
}
REWRITE = "Cerchiamo chi faccia lo zorblaquista."
OTHERS = [{"id": f"other-{n}", "text": f"La sede {n} cerca una commessa."} for n in range(30)]


@pytest.fixture
def labelled(
    cli: Cli, label_studio_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Cli, Service]]:
    """A workspace with the embedded server. People have labelled its ad with the rare words, with
    marked words and a rewrite; a model has learned from it, and the next one is being trained."""
    cli(
        "import", write_jsonl(tmp_path / "gone.jsonl", AD, {"id": "ad-gone", "text": [AD["title"]]})
    )
    cli.work_on(
        label_studio_server,
        LABELSTUDIO__PORT=urlsplit(label_studio_server.url).port,
        LOOP__BATCH_SIZE=20,
        LOOP__LOW_WATER=0,
        LOOP__MAX_PER_AD=9,
        LOOP__AUDIT_BLOCK=0,
        STOPPING__MODE="off",
    )
    del cli.environment["BIASLOOP_LABELSTUDIO__URL"]
    (cli.workspace / "labelstudio").symlink_to(label_studio_server.data_dir)
    for name, value in cli.environment.items():
        if name.startswith("BIASLOOP_"):
            monkeypatch.setenv(name, value)
    service = Service(cli.workspace)
    for step in ("expand", "score", "select", "push"):
        assert service.loop.tick() == f"round 0: {step} done"
    url, token = label_studio_server.url, label_studio_server.token
    with Annotator(url, token, service.ensure_project()) as person:
        while (task := person.next_task()) is not None:
            label(person, task)
    cli("import", write_jsonl(tmp_path / "others.jsonl", *OTHERS))
    assert service.poll() > 0
    while (did := service.loop.tick()) != "round 1: push done":
        assert did
    yield cli, service
    service.close()


def label(person: Annotator, task: int) -> None:
    """Answers a task, first as a draft; a sentence with a rare word with marks and a rewrite."""
    text = person.task(task)["data"]["text"]
    word = next((word for word in text.split() if word[:4] in ("zorb", "trom")), None)
    result = person.result("gender" if word else "inclusive")
    if word:
        begin = text.index(word)
        mark = {"start": begin, "end": begin + len(word), "text": word, "labels": ["gender"]}
        result += [
            region("span", "labels", mark),
            region("rewrite", "textarea", {"text": [REWRITE]}),
        ]
    for kind in ("drafts", "annotations/"):
        person._json("POST", f"/api/tasks/{task}/{kind}", {"result": result, "lead_time": 9.0})


def region(name: str, kind: str, value: dict[str, Any]) -> dict[str, Any]:
    """A part of an answer, as the browser sends it."""
    return {"from_name": name, "to_name": "text", "type": kind, "id": uuid4().hex, "value": value}


def test_nothing_of_the_ad_is_left_and_the_exports_that_held_it_are_listed(
    labelled: tuple[Cli, Service], label_studio_server: Server, tmp_path: Path
) -> None:
    cli, service = labelled
    item = next(i for i in service.pool.items(range(len(service.pool))) if "zorb" in i.text)
    cli("adjudicate", item.id, "--labels", "gender", "--by", "Anna", "--reason", item.text)
    cli("train")
    cli("export", "--to", tmp_path / "given")
    (inside,) = {Path(path).parent for path in cli.json("export", "--all")}
    cli("backup", tmp_path / "copy")
    folders = (cli.workspace, label_studio_server.data_dir, tmp_path / "copy")
    held = {place.partition("/")[0].partition(":")[0] for place in places_of(WORDS, *folders)}
    assert held > {"exports", "features", "ledger.db", "models", "pool", "rejects", "work"}
    another = OTHERS[1]["text"]
    before = cli("classify", another)

    report = cli.json("takedown", "ad-gone", "--yes")

    assert places_of(WORDS, *folders) == []
    assert len(report["models"]) == 1
    assert (report["models_left"], report["backups_left"], report["server"]) == ([], [], None)
    exports = [(export["folder"], export["gone"]) for export in report["exports"]]
    assert exports == [(str(tmp_path / "given"), False), (str(inside), True)]
    assert report["exports_unrecorded"] == []
    assert cli("classify", another) == before
