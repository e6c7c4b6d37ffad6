"""Two processes that work in turn, a few seconds each, so that a loaded machine is fair to both."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

SLICE_SECONDS = 5.0
LOOK_SECONDS = 0.02
_began = 0.0


def ready() -> None:
    """In the child: everything is loaded; waits until the parent says go."""
    global _began  # noqa: PLW0603
    print("ready", flush=True)
    sys.stdin.readline()
    _began = time.process_time()


def measured() -> dict[str, Any]:
    """In the child: what the work that counts took; printed as part of the last line, as JSON."""
    return {"at": time.monotonic(), "cpu_seconds": time.process_time() - _began}


def in_turns(commands: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """The last line of each command, with the `seconds` of its own turns from `ready` until
    `measured`."""
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
            for child, own in zip(children, turns, strict=True):
                if child.poll() is None:
                    own.append(_turn(child))
    finally:
        for child in children:
            child.kill()
    return [_told(child, own) for child, own in zip(children, turns, strict=True)]


def _turn(child: subprocess.Popen[str]) -> tuple[float, float]:
    start = time.monotonic()
    child.send_signal(signal.SIGCONT)
    while child.poll() is None and time.monotonic() - start < SLICE_SECONDS:
        time.sleep(LOOK_SECONDS)
    child.send_signal(signal.SIGSTOP)
    return start, time.monotonic()


def _told(child: subprocess.Popen[str], turns: list[tuple[float, float]]) -> dict[str, Any]:
    assert child.stdout is not None
    lines = child.stdout.read().splitlines()
    if child.wait() != 0 or not lines:
        sys.exit(f"{child.args!r} failed with {child.returncode}")
    found: dict[str, Any] = json.loads(lines[-1])
    at = found.pop("at")
    return found | {"seconds": sum(min(end, at) - start for start, end in turns if start < at)}
