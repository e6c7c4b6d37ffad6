"""Runs processes in turn, a few seconds each, so that a loaded machine is fair to all of them."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

SLICE_SECONDS = 5.0
POLL_SECONDS = 0.02
_start_seconds = 0.0


def ready() -> None:
    """Called in a child when everything is loaded: waits until the parent starts to measure."""
    global _start_seconds  # noqa: PLW0603
    print("ready", flush=True)
    sys.stdin.readline()
    _start_seconds = time.process_time()


def measurement() -> dict[str, Any]:
    """Called in a child after the measured work: figures that its last line, JSON, must contain."""
    return {"at": time.monotonic(), "cpu_seconds": time.process_time() - _start_seconds}


def in_turns(commands: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """The last line of each command, parsed, with `seconds`: the time of its own turns between
    `ready` and `measurement`."""
    children = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for command in commands
    ]
    turns: list[list[tuple[float, float]]] = [[] for _ in children]
    try:
        for child in children:
            assert child.stdout is not None
            while child.stdout.readline() not in ("ready\n", ""):
                pass
            child.send_signal(signal.SIGSTOP)
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        while any(child.poll() is None for child in children):
            for child, child_turns in zip(children, turns, strict=True):
                if child.poll() is None:
                    child_turns.append(_run_turn(child))
    finally:
        for child in children:
            child.kill()
    return [
        _last_line(child, child_turns) for child, child_turns in zip(children, turns, strict=True)
    ]


def _run_turn(child: subprocess.Popen[str]) -> tuple[float, float]:
    start = time.monotonic()
    child.send_signal(signal.SIGCONT)
    while child.poll() is None and time.monotonic() - start < SLICE_SECONDS:
        time.sleep(POLL_SECONDS)
    child.send_signal(signal.SIGSTOP)
    return start, time.monotonic()


def _last_line(child: subprocess.Popen[str], turns: list[tuple[float, float]]) -> dict[str, Any]:
    assert child.stdout is not None
    lines = child.stdout.read().splitlines()
    if child.wait() != 0 or not lines:
        sys.exit(f"{child.args!r} failed with {child.returncode}")
    result: dict[str, Any] = json.loads(lines[-1])
    at = result.pop("at")
    return result | {"seconds": sum(min(end, at) - start for start, end in turns if start < at)}
