"""A Label Studio that says what is not true, as faults for the proxy."""

import json
import threading
from collections.abc import Callable
from typing import Any

import httpx

from support.faults import Call, bad_gateway, cut, failing
from support.proxy import Fault

Change = Callable[[dict[str, Any]], Any]
"""What becomes of a page of tasks."""


def _changed(change: Change) -> Fault:
    def fault(call: Call) -> httpx.Response:
        answer = call()
        if not answer.is_success:
            return answer
        return httpx.Response(200, json=change(answer.json()))

    fault.__name__ = change.__name__
    return fault


def empty(_: dict[str, Any]) -> Any:
    return {"tasks": [], "total": 0, "total_annotations": 0, "total_predictions": 0}


def no_total(page: dict[str, Any]) -> Any:
    return page | {"total": 0}


def huge_total(page: dict[str, Any]) -> Any:
    return page | {"total": 10**6}


def without_answers(page: dict[str, Any]) -> Any:
    return page | {"tasks": [task | {"annotations": []} for task in page["tasks"]]}


def half_of_the_answers(page: dict[str, Any]) -> Any:
    tasks = [task | {"annotations": []} if task["id"] % 2 else task for task in page["tasks"]]
    return page | {"tasks": tasks}


def each_twice(page: dict[str, Any]) -> Any:
    return page | {"tasks": [task for task in page["tasks"] for _ in range(2)]}


def answers_twice(page: dict[str, Any]) -> Any:
    tasks = [task | {"annotations": 2 * (task.get("annotations") or [])} for task in page["tasks"]]
    return page | {"tasks": tasks}


def backwards(page: dict[str, Any]) -> Any:
    return page | {"tasks": page["tasks"][::-1]}


def html(call: Call) -> httpx.Response:
    """The page of a proxy that wants people to sign in."""
    call()
    return httpx.Response(200, text="<html>Sign in</html>", headers={"Content-Type": "text/html"})


def broken_json(call: Call) -> httpx.Response:
    """Half of the answer, as if it were all."""
    whole = call()
    kind = {"Content-Type": whole.headers.get("Content-Type", "")}
    return httpx.Response(200, content=whole.content[: len(whole.content) // 2], headers=kind)


class Repeated:
    """The first answer again and again, as from a cache that looks at the path only."""

    def __init__(self) -> None:
        self._first: httpx.Response | None = None
        self._lock = threading.Lock()

    def __call__(self, call: Call) -> httpx.Response:
        with self._lock:
            self._first = self._first or call()
        return self._first


class Stalled:
    """No answer until somebody sets `over`."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def __call__(self, call: Call) -> None:
        self.over.wait()


def another_project(call: Call) -> httpx.Response:
    """The answer about a project is about another one."""
    answer = call()
    if not answer.is_success:
        return answer
    project = answer.json()
    return httpx.Response(200, json=project | {"id": project["id"] + 1})


LIES: dict[str, Callable[[], Fault]] = {
    change.__name__: lambda change=change: _changed(change)  # type: ignore[misc]
    for change in (
        empty,
        no_total,
        huge_total,
        without_answers,
        half_of_the_answers,
        each_twice,
        answers_twice,
        backwards,
    )
} | {
    "html": lambda: html,
    "broken_json": lambda: broken_json,
    "repeated": Repeated,
    "cut": lambda: cut,
    "failing": lambda: failing,
    "bad_gateway": lambda: bad_gateway,
}
"""What is said of a list of tasks, by name; each call makes a fresh one."""


def is_list_of_tasks(method: str, path: str) -> bool:
    return method == "GET" and path.rstrip("/") == "/api/tasks"


def is_project(method: str, path: str) -> bool:
    parts = path.strip("/").split("/")
    return method == "GET" and parts[:2] == ["api", "projects"] and len(parts) == 3


def about(lie: Fault, concerned: Callable[[str, str], bool], times: int | None = None) -> Any:
    """For a proxy's `any`: tells this lie to the requests that it is about, that many times (None:
    until the proxy is changed)."""
    lock, left = threading.Lock(), [times]

    def choose(method: str, path: str) -> Fault | None:
        if not concerned(method, path):
            return None
        with lock:
            if left[0] == 0:
                return None
            left[0] = None if left[0] is None else left[0] - 1
        return lie

    return choose


POISONS: dict[str, Any] = {
    "huge": lambda ok: [
        *ok,
        {"from_name": "note", "type": "textarea", "value": {"text": "x" * 10**6}},
    ],
    "deep": lambda ok: [*ok, {"from_name": "note", "type": "?", "value": _nested(400)}],
    "deeper": lambda ok: [*ok, {"from_name": "note", "type": "?", "value": _nested(900)}],
    "unknown controls": lambda ok: [
        *ok,
        {"from_name": "x", "type": "brush", "value": {"rle": [1]}},
    ],
    "no list": lambda ok: {"choices": ["age"]},
    "a number": lambda ok: 7,
    "a string": lambda ok: "age",
    "null": lambda ok: None,
    "list of lists": lambda ok: [[["age"]], None, 3],
    "no list of choices": lambda ok: [ok[0] | {"value": {"choices": "age"}}],
    "choices of any type": lambda ok: [ok[0] | {"value": {"choices": [None, 3, {"a": []}]}}],
    "no value": lambda ok: [ok[0] | {"value": None}],
    "large numbers": lambda ok: [*ok, {"from_name": "n", "type": "number", "value": 10**400}],
    "half a surrogate pair": lambda ok: [
        *ok,
        {"from_name": "note", "type": "textarea", "value": {"text": ["\ud83d"]}},
    ],
}
"""Hostile results of an answer, made of a good one, by name."""


def _nested(depth: int) -> Any:
    return json.loads("[" * depth + "]" * depth)
