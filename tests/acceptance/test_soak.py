"""The soak of `benchmarks/soak.py`: for two minutes, with kills so close together that every kind
of event happens, and for the two hours of its own, which is heavy."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.labelstudio_server import Server

ROOT = Path(__file__).parents[2]


def soak(server: Server, *options: str) -> dict[str, Any]:
    """What comes of a soak on this server; nothing may be lost or doubled."""
    where = ["--label-studio", server.url, "--token", server.token]
    command = [sys.executable, "-m", "benchmarks.soak", *where, *options, "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    assert (report["lost"], report["doubled"], report["different"]) == (0, 0, 0), report
    assert (report["reconciled"], report["doubled_tasks"]) == (0, 0), report
    return report


def test_nothing_is_lost_or_doubled(label_studio_server: Server) -> None:
    options = ("--minutes", "2", "--people", "6", "--kill-every", "12", "--seed", "1")
    report = soak(label_studio_server, *options)
    assert report["annotations"] > 10, report
    assert report["kills"] > 1, report
    assert len(report["faults"]) > 3, report


@pytest.mark.heavy
def test_nothing_is_lost_or_doubled_in_two_hours(label_studio_server: Server) -> None:
    print(json.dumps(soak(label_studio_server)))
