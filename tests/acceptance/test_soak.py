"""The soak of `benchmarks/soak.py`, short: two minutes and six people instead of two hours and
twenty, but with kills so close together that every kind of event happens here too."""

import json
import subprocess
import sys
from pathlib import Path

from support.labelstudio_server import Server

ROOT = Path(__file__).parents[2]


def test_nothing_is_lost_or_doubled(label_studio_server: Server) -> None:
    where = ["--label-studio", label_studio_server.url, "--token", label_studio_server.token]
    how = ["--minutes", "2", "--people", "6", "--kill-every", "12", "--seed", "1", "--json"]
    command = [sys.executable, "-m", "benchmarks.soak", *where, *how]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert (found["lost"], found["doubled"], found["different"]) == (0, 0, 0), found
    assert (found["reconciled"], found["doubled_tasks"]) == (0, 0), found
    assert found["annotations"] > 10, found
    assert found["kills"] > 1, found
    assert len(found["faults"]) > 3, found
