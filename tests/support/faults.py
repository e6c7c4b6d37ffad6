"""What goes wrong on the way to Label Studio, as faults for the proxy."""

import threading
import time
from collections.abc import Callable
from typing import Any

import httpx

from support.proxy import Fault

Call = Callable[[], httpx.Response]


def delayed(call: Call) -> httpx.Response:
    """A slow line, not slower than the client's patience."""
    time.sleep(1)
    return call()


def cut(_: Call) -> None:
    """Gone before it reached the server."""


def answer_lost(call: Call) -> None:
    """The server did it, and nobody hears of it."""
    call()


def truncated(call: Call) -> httpx.Response:
    """Half of the answer arrives."""
    whole = call()
    half = whole.content[: len(whole.content) // 2]
    kind = {"Content-Type": whole.headers.get("Content-Type", "")}
    promised = {"promised": len(whole.content) + 1}
    return httpx.Response(whole.status_code, content=half, headers=kind, extensions=promised)


def failing(_: Call) -> httpx.Response:
    """An overloaded server."""
    return httpx.Response(503, json={"detail": "overloaded"})


def bad_gateway(_: Call) -> httpx.Response:
    """A proxy of somebody else's."""
    return httpx.Response(502, text="<html>Bad gateway</html>")


def doubled(call: Call) -> httpx.Response:
    """The request reaches the server twice."""
    call()
    return call()


def timed_out(seconds: float) -> Fault:
    """The server did it, and its answer comes after the client gave up, `seconds` later."""

    def fault(call: Call) -> httpx.Response:
        answer = call()
        time.sleep(seconds)
        return answer

    return fault


def all_faults(patience: float) -> tuple[Fault, ...]:
    """Every fault; `patience`: seconds after which the client gives up on an answer."""
    return (
        delayed,
        cut,
        answer_lost,
        truncated,
        failing,
        bad_gateway,
        doubled,
        timed_out(patience + 1),
    )


class Once:
    """One fault, for the first request of each kind; numbers in a path are one kind."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault
        self._lock = threading.Lock()
        self.met: set[tuple[str, Any]] = set()

    def __call__(self, method: str, path: str) -> Fault | None:
        kind = method, tuple(part for part in path.split("/") if not part.isdigit())
        with self._lock:
            known = kind in self.met
            self.met.add(kind)
        return None if known else self._fault
