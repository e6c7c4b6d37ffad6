"""A workspace of commit 0a57e93, with a round open, is opened, finished and exported.

tests/data/workspace_0a57e93 says what is in it. Command line and HTTP only: this file runs with the
code of that commit as well.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

pytestmark = pytest.mark.labelstudio

DATA = Path(__file__).parents[1] / "data" / "workspace_0a57e93"
BIASLOOP = Path(sys.prefix) / "bin" / "biasloop"
PLACEHOLDER = "@WORKSPACE@"
PATIENCE = 300
"""Seconds after which a test gives up; never a measure of anything."""
WITHOUT_BFLOAT16 = Path(__file__).parents[1] / "support" / "without_bfloat16"
"""The machine that made the workspace did not multiply in bfloat16, which has eight bits."""
TOLERANCE = 1e-3
"""By which probabilities may differ from one machine to another."""
CLASSIFIERS = ("embedding", "transformer", "tfidf")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """The old workspace, whose models find their checkpoint where it is now."""
    with tarfile.open(DATA / "workspace.tar.gz") as archive:
        # Not as an argument, which Python has only from 3.11.4 on.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(tmp_path)
    folder = tmp_path / "workspace"
    for path in folder.glob("models/**/*.json"):
        text = path.read_text("utf-8")
        path.write_text(text.replace(PLACEHOLDER, str(folder)), "utf-8")
    return folder


def test_it_opens(workspace: Path) -> None:
    report = status(workspace)

    assert [r["state"] for r in report["rounds"]] == ["closed", "pushed"]
    assert [(r["asked"], r["answered"]) for r in report["rounds"]] == [(6, 6), (6, 3)]
    assert report["model_in_service"] == models(workspace)[-1]["model"]


def test_each_of_its_models_classifies_as_it_did(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(WITHOUT_BFLOAT16), prepend=os.pathsep)
    before = status(workspace)["model_in_service"]
    assert {row["classifier"] for row in models(workspace)} == set(CLASSIFIERS)
    for path in sorted((workspace.parent / "verdicts").iterdir()):
        biasloop(workspace, "models", "promote", path.stem)
        verdicts_now = verdicts(biasloop(workspace, "classify", str(DATA / "ads.jsonl")))
        verdicts_then = verdicts(path.read_text("utf-8"))
        pd.testing.assert_frame_equal(verdicts_now, verdicts_then, rtol=0, atol=TOLERANCE)
    biasloop(workspace, "models", "promote", before)
    biasloop(workspace, "models", "rollback")
    assert status(workspace)["model_in_service"] == path.stem


def test_its_open_round_is_finished_and_nothing_is_lost(workspace: Path) -> None:
    old = table(next((workspace / "exports").iterdir()), "votes")

    with up(workspace) as person:
        answered = person.answer_open()
        wait_until(workspace, lambda: status(workspace)["rounds"][1]["state"] == "closed")
    new = votes(workspace)

    assert len(answered) == 3
    pd.testing.assert_frame_equal(new.loc[old.index, old.columns], old)  # there are new columns
    fresh = new.drop(old.index)
    assert {key.partition(":")[0] for key in fresh.index} == {"ls"}
    assert (fresh["standing"] == "vote").all()
    assert {key: tuple(fresh.loc[key, "labels"]) for key in fresh.index} == answered
    assert [r["answered"] for r in status(workspace)["rounds"]] == [6, 6]
    assert len(models(workspace)) == len(CLASSIFIERS) + 2
    import_again(workspace)
    pd.testing.assert_frame_equal(votes(workspace), new)


def test_importing_its_ads_again_brings_nothing_new(workspace: Path) -> None:
    pool, old = items(workspace), votes(workspace)

    import_again(workspace)

    after = items(workspace)
    assert after.index.is_unique
    pd.testing.assert_frame_equal(after, pool)
    pd.testing.assert_frame_equal(votes(workspace), old)


# --- the command line ---------------------------------------------------------------------------


def biasloop(workspace: Path, *arguments: str) -> str:
    """What a command prints; it must succeed."""
    command = [str(BIASLOOP), "--workspace", str(workspace), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def status(workspace: Path) -> dict[str, Any]:
    """What `status --json` says."""
    report: dict[str, Any] = json.loads(biasloop(workspace, "status", "--json"))
    return report


def models(workspace: Path) -> list[dict[str, Any]]:
    """Every model version, oldest first."""
    rows: list[dict[str, Any]] = json.loads(biasloop(workspace, "models", "list", "--json"))
    return rows


def import_again(workspace: Path) -> None:
    """Imports the ads that the workspace was made of; all must be known already."""
    (report,) = json.loads(
        biasloop(workspace, "import", str(DATA / "ads.jsonl"), "--json")
    ).values()
    ads = len((DATA / "ads.jsonl").read_text("utf-8").splitlines())
    assert (report["items"], report["duplicates"], report["rejects"]) == (0, ads, 0)


def verdicts(lines: str) -> pd.DataFrame:
    """Probabilities of each label, by text."""
    rows = [json.loads(line) for line in lines.splitlines()]
    return pd.DataFrame([row["labels"] for row in rows], index=[row["id"] for row in rows])


def votes(workspace: Path) -> pd.DataFrame:
    """Every annotation, by key, as a new export has it."""
    return table(export(workspace), "votes")


def items(workspace: Path) -> pd.DataFrame:
    """The whole pool, by item, as a new export has it."""
    return table(export(workspace, "--verdicts"), "items")


def export(workspace: Path, *options: str) -> Path:
    """The folder of a new export."""
    folder = workspace.parent / f"export-{time.time_ns()}"
    biasloop(workspace, "export", "--to", str(folder), *options)
    return folder


def table(folder: Path, name: str) -> pd.DataFrame:
    """A table of an export, by its first column."""
    frame = pd.read_parquet(folder / f"{name}.parquet")
    return frame.set_index(frame.columns[0]).sort_index()


# --- Label Studio -------------------------------------------------------------------------------


class Person:
    """The administrator, who labels by the requests that the browser sends."""

    def __init__(self, http: httpx.Client, project: int) -> None:
        self._http = http
        self._project = project

    def answer_open(self) -> dict[str, tuple[str, ...]]:
        """Answers every task that nobody has answered or skipped; labels by annotation key."""
        query = {"project": self._project, "page_size": 100, "fields": "all"}
        page = self._http.get("/api/tasks/", params=query).raise_for_status().json()
        return dict(
            self._answer(task)
            for task in page["tasks"]
            if not task["total_annotations"] + task["cancelled_annotations"]
        )

    def _answer(self, task: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
        labels = right(task["data"]["text"])
        value = {"choices": list(labels)}
        region = {"from_name": "label", "to_name": "text", "type": "choices", "value": value}
        sent = self._http.post(
            f"/api/tasks/{task['id']}/annotations/", json={"result": [region], "lead_time": 2.5}
        )
        return f"ls:{sent.raise_for_status().json()['id']}", labels


def right(text: str) -> tuple[str, ...]:
    """What is right to say of a text of the tiny campaign."""
    labels = [label for label, sign in (("gender", " un "), ("age", " anni")) if sign in text]
    return tuple(labels) or ("inclusive",)


@contextmanager
def up(workspace: Path) -> Iterator[Person]:
    """`biasloop up` on free ports, once Label Studio and the loop answer; stopped by Ctrl-C."""
    port, page = free_port(), free_port()
    ports = {"BIASLOOP_LABELSTUDIO__PORT": str(port), "BIASLOOP_WEB__PORT": str(page)}
    ports["BIASLOOP_GATEWAY__PORT"] = str(free_port())
    command = [str(BIASLOOP), "--workspace", str(workspace), "up"]
    secrets = dict(line.split("=", 1) for line in (workspace / "secrets").read_text().split())
    headers = {"Authorization": f"Token {secrets['LABEL_STUDIO_TOKEN']}"}
    with (
        log_of(workspace).open("wb") as log,
        subprocess.Popen(command, env=os.environ | ports, stdout=log, stderr=log) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as http,
    ):
        try:
            for url in (f"http://127.0.0.1:{port}/health", f"http://127.0.0.1:{page}/"):
                wait_until(workspace, lambda url=url: process.poll() is not None or answers(url))
            assert process.poll() is None, tail(workspace)
            yield Person(http, status(workspace)["label_studio"]["project"])
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def answers(url: str) -> bool:
    """Whether the server is there."""
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False


def wait_until(workspace: Path, reached: Callable[[], bool]) -> None:
    """Looks again and again; fails with the log when it never comes."""
    last = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < last, f"not reached; the log:\n{tail(workspace)}"
        time.sleep(1)


def log_of(workspace: Path) -> Path:
    """Where the output of `biasloop up` goes."""
    return workspace.parent / "up.log"


def tail(workspace: Path) -> str:
    """The end of that log."""
    return log_of(workspace).read_text("utf-8", "replace")[-4000:]


def free_port() -> int:
    """A port of loopback that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
