"""SIGKILL in the middle of some two hundred requests: no answered request is sent again."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from threading import Event, Lock

import psutil

from support.llm_model import WORDS, obedient, properties
from support.llm_server import Asked, LlmServer, structured
from support.llm_workspaces import point_to
from support.trouble import job_children

TEXTS = 200
ANSWERED = 90
CONCURRENCY = 8
PATIENCE = 300
"""Seconds after which the test gives up; nothing is measured by it."""


def start(workspace: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "biasloop.cli.main", "-w", str(workspace), "expand", "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def stored(workspace: Path) -> int:
    """How many answers are safely on disk."""
    path = workspace / "llm.db"
    if not path.exists():
        return 0
    with sqlite3.connect(path) as database:
        query = "SELECT count(*) FROM requests WHERE answer IS NOT NULL"
        try:
            return int(database.execute(query).fetchone()[0])
        except sqlite3.OperationalError:  # the table comes in a moment
            return 0


def test_no_answered_request_is_repeated(sown: Path, tmp_path: Path, model: LlmServer) -> None:
    workspace = tmp_path / "workspace"
    subprocess.run(["cp", "-r", str(sown), str(workspace)], check=True)
    cells = "\n".join(f'{word} = "{word}"' for word in WORDS)
    (workspace / "campaign" / "prompts.toml").write_text(f"[cells.sectors]\n{cells}\n")
    point_to(workspace, model.url, texts=TEXTS, timeout_seconds=600, concurrency=CONCURRENCY)
    release, lock = Event(), Lock()
    texts: list[str] = []

    def script(asked: Asked) -> object:
        if "text" in properties(asked):
            with lock:
                texts.append(json.dumps(asked["messages"]))
                held = len(texts) > ANSWERED
            if held:
                release.wait(PATIENCE)
        return obedient(asked)

    model.script = structured(script)
    first = start(workspace)
    deadline = time.monotonic() + PATIENCE
    while stored(workspace) < ANSWERED:
        assert first.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (child,) = map(psutil.Process, job_children(first.pid))
    for process in (first, child):
        process.send_signal(signal.SIGKILL)
    first.communicate()
    child.wait()
    answered = texts[:ANSWERED]
    in_flight = texts[ANSWERED:]
    assert len(in_flight) <= CONCURRENCY

    release.set()
    second = start(workspace)
    report = json.loads(second.communicate(timeout=PATIENCE)[0])
    assert second.returncode == 0
    later = texts[ANSWERED + len(in_flight) :]
    assert len({*answered, *later}) > TEXTS * 0.8
    assert not set(answered) & set(later)
    assert set(in_flight) <= set(later)
    assert len(later) == len(set(later))
    facts = report["synthesis"]["llm"]
    assert facts["asked"] == TEXTS
    assert facts["made"] > 0
    # Those that were under way when the process died are charged as if they had been answered; so
    # are those that were charged and not yet sent.
    assert 0 <= facts["spending"]["requests"] - len(model.asked) <= CONCURRENCY
