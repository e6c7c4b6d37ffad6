"""What an annotator's session could do at Label Studio, and cannot do through the gateway."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from biasloop.gateway.rules import match
from support.gateway import PAGE, Gateway, Visitor, answer_of
from support.labelstudio_server import Server

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PRINT_ROUTES = """
import os, sys, json, re
sys.path.insert(0, os.path.join(os.path.dirname(__import__("label_studio").__file__)))
os.environ["DJANGO_SETTINGS_MODULE"] = "core.settings.label_studio"
import django
django.setup()
from django.urls import get_resolver
def walk(patterns, before=""):
    for pattern in patterns:
        path = before + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from walk(pattern.url_patterns, path)
        else:
            yield path
print("ROUTES" + json.dumps(sorted(set(walk(get_resolver().url_patterns)))))
"""


@pytest.fixture(scope="session")
def routes(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Every route that Label Studio's resolver knows, with 1 for each of its parameters."""
    python = Path(sys.prefix + "-labelstudio") / "bin" / "python"
    folder = tmp_path_factory.mktemp("routes")
    environment = os.environ | {"LABEL_STUDIO_BASE_DATA_DIR": str(folder), "PYTHONPATH": ""}
    printed = subprocess.run(
        [python, "-c", PRINT_ROUTES], env=environment, capture_output=True, text=True, check=True
    ).stdout
    found: list[str] = json.loads(printed.partition("ROUTES")[2])
    return found


@pytest.fixture
def anna(gateway: Gateway) -> Iterator[Visitor]:
    visitor = gateway.visitor()
    yield visitor
    visitor.close()


@pytest.fixture
def bruno(gateway: Gateway) -> Iterator[Visitor]:
    visitor = gateway.visitor()
    yield visitor
    visitor.close()


def concrete(route: str) -> str:
    """A path that the route matches: parameters become 1, signs of patterns go."""
    path = re.sub(r"<[^>]+>|\(\?P<\w+>[^)]*\)", "1", route)
    return "/" + re.sub(r"[\^$?\\]|\(.*?\)[*+]?|\.\*", "", path).lstrip("/")


def test_of_all_routes_of_label_studio_only_the_table_passes(
    anna: Visitor, routes: list[str], label_studio_server: Server
) -> None:
    assert len(routes) > 200
    secrets = (label_studio_server.email, label_studio_server.token, "sessionid")
    for number, path in enumerate(sorted({concrete(route) for route in routes} - {"/"})):
        matching = [method for method in METHODS if match(method, path.encode(), [])]
        for method in {*matching, METHODS[number % len(METHODS)]}:
            answer = anna.http.request(method, path, headers={"Content-Type": "application/json"})
            assert not any(secret in answer.text for secret in secrets), (method, path)
            if method not in matching:
                assert answer.status_code == 403, (method, path)


def test_nobody_answers_for_others_or_elsewhere(
    anna: Visitor, bruno: Visitor, gateway: Gateway
) -> None:
    task, other = anna.next_task(), bruno.next_task()
    assert task
    assert other
    for more in ({"completed_by": 1}, {"ground_truth": True}, {"task": 1}, {"draft_id": 999_999}):
        assert anna.send(task["id"], "age", **more).status_code == 403
    saved = anna.send(task["id"], "age").json()
    for method in ("PATCH", "DELETE", "GET"):
        path = f"/api/annotations/{saved['id']}"
        assert bruno.http.request(method, path, json=answer_of("gender")).status_code == 403
    assert anna.http.delete(f"/api/annotations/{saved['id']}").status_code == 403  # not skipped
    changed = anna.http.patch(
        f"/api/annotations/{saved['id']}?taskID={task['id']}", json=answer_of("gender")
    )
    assert changed.status_code == 200
    wrong = f"/api/annotations/{saved['id']}?taskID={other['id']}"
    assert anna.http.patch(wrong, json=answer_of("gender")).status_code == 403
    skipped = bruno.send(other["id"], was_cancelled=True, result=[])
    assert bruno.http.delete(f"/api/annotations/{skipped.json()['id']}").status_code == 204
    gateway.service.poll()
    (vote,) = [a for a in gateway.service.ledger.annotations() if a.task_id]
    assert (vote.annotator, vote.labels) == (anna.person.account, ("gender",))


def test_nobody_answers_what_was_not_offered_to_them(anna: Visitor, bruno: Visitor) -> None:
    task = anna.next_task()
    assert task
    for more in (task["id"], task["id"] + 1):
        assert bruno.send(more, "age").status_code == 403
        draft = {"result": [], "lead_time": 1.0}
        assert bruno.http.post(f"/api/tasks/{more}/drafts", json=draft).status_code == 403
    assert anna.send(task["id"], "age").status_code == 201


def test_drafts_are_private(anna: Visitor, bruno: Visitor) -> None:
    task = anna.next_task()
    assert task
    body = {"result": answer_of("age")["result"], "lead_time": 1.0}
    draft = anna.http.post(f"/api/tasks/{task['id']}/drafts", json=body)
    assert draft.status_code == 201
    seen = [visitor.http.get(f"/api/tasks/{task['id']}").json() for visitor in (anna, bruno)]
    assert [len(one["drafts"]) for one in seen] == [1, 0]
    path = f"/api/drafts/{draft.json()['id']}"
    assert bruno.http.patch(path, json=body).status_code == 403
    assert bruno.http.delete(path).status_code == 403
    assert anna.http.patch(path, json=body).status_code == 200
    sent = bruno.send(task["id"], "age", draft_id=draft.json()["id"])
    assert sent.status_code == 403
    assert anna.send(task["id"], "age", draft_id=draft.json()["id"]).status_code == 201


def test_tasks_of_other_projects_are_closed(
    anna: Visitor, gateway: Gateway, label_studio_server: Server
) -> None:
    with httpx.Client(
        base_url=label_studio_server.url,
        headers={"Authorization": f"Token {label_studio_server.token}"},
        timeout=60,
    ) as admin:
        config = "<View><Text name='t' value='$t'/></View>"
        project = admin.post(
            "/api/projects", json={"title": "other", "label_config": config}
        ).json()
        admin.post(f"/api/projects/{project['id']}/import", json=[{"data": {"t": "x"}}])
        (task,) = admin.get(f"/api/projects/{project['id']}/tasks").json()
        assert anna.http.get(f"/api/tasks/{task['id']}").status_code == 403
        assert anna.send(task["id"], "age").status_code == 403
        page = f"/projects/{project['id']}/data?labeling=1"
        assert anna.http.get(page, headers=PAGE).status_code == 403
        stream = f"/api/dm/actions?id=next_task&project={project['id']}"
        assert anna.http.post(stream, json={}).status_code == 403
        admin.delete(f"/api/projects/{project['id']}")


def test_other_sites_and_strange_bodies_are_refused(anna: Visitor) -> None:
    task = anna.next_task()
    assert task
    path, body = f"/api/tasks/{task['id']}/annotations", answer_of("age")
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        assert anna.http.post(path, json=body, headers=headers).status_code == 403
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert anna.http.post(path, content=json.dumps(body), headers=form).status_code == 403
    large = {"result": [], "unique_id": "x" * 2_000_000}
    assert anna.http.post(path, json=large).status_code == 413
    tokens = {"Authorization": "Token x", "X-HTTP-Method-Override": "DELETE", "X-Api-Key": "x"}
    assert anna.http.post(path, json=body, headers=tokens).status_code == 201


def test_links_cookies_and_strangers(gateway: Gateway, label_studio_server: Server) -> None:
    with httpx.Client(base_url=gateway.url, timeout=60) as stranger:
        for path in ("/", "/projects/1/data", "/gateway/guideline", "/api/version"):
            answer = stranger.get(path, headers=PAGE)
            assert answer.status_code == 401, path
            assert "set-cookie" not in answer.headers
        assert stranger.get("/l/wrong", headers=PAGE).status_code == 404
        opened = stranger.get(gateway.link("anna@example.org"), headers=PAGE)
        assert opened.status_code == 303
        cookie = opened.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert opened.headers["referrer-policy"] == "no-referrer"
        assert "no-store" in opened.headers["cache-control"]
        assert stranger.get("/gateway/guideline", headers=PAGE).status_code == 200
        gateway.service.access.revoke(gateway.service.access.require("anna@example.org"))
        assert stranger.get("/gateway/guideline", headers=PAGE).status_code == 401
        assert stranger.get("/", headers=PAGE | {"Host": "evil.example"}).status_code == 403
        wrong = [stranger.get(f"/l/{i}", headers=PAGE).status_code for i in range(30)]
        assert wrong[-1] == 429
