"""The table of what passes, without a server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.gateway.rules import MAX_PATH, RULES, Condition, match

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get"]
LET_THROUGH = "/api/tasks/12/annotations"
ODD = [
    "/api/tasks/12/%61nnotations",
    "/api/tasks%2F12/annotations",
    "//api/tasks/12/annotations",
    "/api//tasks/12/annotations",
    "/api/tasks/012/annotations",
    "/api/tasks/+12/annotations",
    "/api/tasks/12/annotations//",
    "/api/tasks/12/annotations/?x",
    "/api/tasks/12/annotations;x",
    "/API/tasks/12/annotations",
    "/api/tasks/12/annotations\x00",
    "/api/tasks/12/annotations\n",
    "/api/tasks/１２/annotations",
    "/x/../api/tasks/12/annotations",
    "/api/tasks/12/annotations/..",
    "/api/tasks/12345678901/annotations",
    "http://127.0.0.1/api/tasks/12/annotations",
]


def test_one_spelling_passes() -> None:
    for path in (LET_THROUGH, LET_THROUGH + "/"):
        found = match("POST", path.encode(), [])
        assert found is not None
        assert found.numbers == {"task": 12}


@pytest.mark.parametrize("path", ODD)
def test_odd_spellings_do_not_pass(path: str) -> None:
    assert match("POST", path.encode(), []) is None


@pytest.mark.parametrize(
    "path", ["/static/../secrets", "/static/a/..%2fb", "/static/é", "/static/"]
)
def test_files_are_files(path: str) -> None:
    assert match("GET", path.encode(), []) is None


def test_a_query_is_read_once_and_agrees_with_the_path() -> None:
    actions = b"/api/dm/actions"
    assert match("POST", actions, [("id", "next_task"), ("project", "3")])
    assert match("POST", actions, [("id", "delete_tasks"), ("project", "3")]) is None
    assert match("POST", actions, [("project", "3")]) is None
    twice = [("id", "next_task"), ("id", "delete_tasks"), ("project", "3")]
    assert match("POST", actions, twice) is None
    patch = b"/api/annotations/7"
    found = match("PATCH", patch, [("taskID", "5")])
    assert found is not None
    assert found.numbers == {"annotation": 7, "task": 5}
    assert match("PATCH", patch, [("taskID", "5 ")]) is None
    assert match("POST", b"/api/tasks/5/annotations", [("taskID", "6")]) is None
    assert match("PATCH", patch, [("was_cancelled", "1")]) is None


@given(st.sampled_from(METHODS), st.binary(max_size=60))
def test_whatever_does_not_match_the_table_is_refused(method: str, path: bytes) -> None:
    found = match(method, b"/" + path, [])
    if found is not None:
        assert found.rule in RULES
        assert found.path.encode() == b"/" + path


@given(st.sampled_from(METHODS), st.text(alphabet="/.%2Fabc123dm", max_size=2 * MAX_PATH))
def test_no_path_leads_out_of_a_folder(method: str, rest: str) -> None:
    found = match(method, f"/static/{rest}".encode(), [])
    assert found is None or ".." not in rest


def test_whatever_changes_something_is_conditional() -> None:
    for rule in RULES:
        if rule.method != "GET":
            assert rule.conditions, rule
        if any(f"<{name}>" in rule.path for name in ("task", "annotation", "draft")):
            assert set(rule.conditions) - {Condition.OUR_PROJECT}, rule
