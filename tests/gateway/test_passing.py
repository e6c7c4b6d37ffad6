"""Two people label through the gateway, side by side."""

from datetime import UTC, datetime

import httpx
import pytest

from biasloop.domain.policy import Policy
from biasloop.service.service import Service
from support.gateway import PAGE, Gateway, answer_of, gateway_of
from support.ports import free_port


def test_two_people_label_and_neither_sees_the_other(gateway: Gateway) -> None:
    anna, bruno = gateway.visitor(), gateway.visitor()
    first, other = anna.next_task(), bruno.next_task()
    assert first
    assert other
    assert first["id"] != other["id"]
    saved = anna.send(first["id"], "age")
    assert saved.status_code == 201
    assert gateway.woken
    seen = bruno.http.get(f"/api/tasks/{first['id']}").json()
    assert seen["annotations"] == []
    assert seen["total_annotations"] == 0
    own = anna.http.get(f"/api/tasks/{first['id']}").json()["annotations"]
    assert [a["id"] for a in own] == [saved.json()["id"]]
    assert anna.person.account not in bruno.http.get(f"/api/tasks/{first['id']}").text
    gateway.service.poll()
    (vote,) = [a for a in gateway.service.ledger.annotations() if a.task_id == first["id"]]
    assert vote.annotator == anna.person.account
    page = anna.http.get(f"/projects/{anna.project}/data?labeling=1", headers=PAGE)
    assert page.status_code == 200
    assert "/gateway/page.js" in page.text
    anna.close()
    bruno.close()


def test_an_answer_whose_reply_got_lost_is_saved_once(gateway: Gateway) -> None:
    anna = gateway.visitor()
    task = anna.next_task()
    assert task
    body = answer_of("age")
    path = f"/api/tasks/{task['id']}/annotations"
    changed = answer_of("gender") | {"unique_id": body["unique_id"]}  # before it is sent again
    first, again = (anna.http.post(path, json=sent) for sent in (body, changed))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["id"] == again.json()["id"]
    (saved,) = anna.http.get(f"/api/tasks/{task['id']}").json()["annotations"]
    assert saved["result"][0]["value"]["choices"] == ["gender"]
    anna.close()


def test_a_session_outlives_the_gateway_and_that_at_label_studio(gateway: Gateway) -> None:
    anna = gateway.visitor()
    with gateway_of(gateway.service, port=free_port()) as restarted:
        cookies = dict(anna.http.cookies)
        anna.http.close()
        anna.http = httpx.Client(base_url=restarted.url, timeout=60, cookies=cookies)
        assert anna.next_task()
    anna.close()


def test_while_label_studio_is_away_the_page_says_so(service: Service) -> None:
    gone = service.settings.labelstudio.model_copy(
        update={"url": f"http://127.0.0.1:{free_port()}", "timeout_seconds": 2}
    )
    service.settings = service.settings.model_copy(update={"labelstudio": gone})
    with gateway_of(service) as gateway:
        anna = gateway.visitor()
        page = anna.http.get(f"/projects/{anna.project}/data?labeling=1", headers=PAGE)
        assert page.status_code == 503
        assert 'http-equiv="refresh"' in page.text
        refused = anna.http.post("/api/tasks/1/annotations", json=answer_of("age"))
        assert refused.status_code == 503
        anna.close()


def test_another_page_of_label_studio_is_not_shown_and_sends_nobody_in_circles(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = gateway.visitor()
    monkeypatch.setattr("biasloop.gateway.page.HEAD_END", b"</no-such-head>")
    page = anna.http.get(f"/projects/{anna.project}/data?labeling=1", headers=PAGE)
    assert page.status_code == 503
    anna.close()


def test_the_guideline_is_shown_once_per_version_and_then_what_changed(
    gateway: Gateway,
) -> None:
    anna, service = gateway.visitor(), gateway.service
    assert anna.http.get("/").headers["location"] == "/gateway/guideline"
    policy = service.current_policy
    assert policy.id in anna.http.get("/gateway/guideline").text
    anna.http.post("/gateway/start", data={"policy": "of before"})  # not on the screen
    assert anna.http.get("/").headers["location"] == "/gateway/guideline"
    anna.http.post("/gateway/start", data={"policy": policy.id})
    assert "/data?labeling=1" in anna.http.get("/").headers["location"]
    changed = Policy(policy.text + "\n\nUna regola nuova.", policy.labels)
    service.ledger.policies.add(changed, datetime.now(UTC))
    with gateway_of(service, port=free_port()) as restarted:
        anna.http.base_url = httpx.URL(restarted.url)
        assert anna.http.get("/").headers["location"] == "/gateway/guideline"
        page = anna.http.get("/gateway/guideline").text
        assert "<ins>Una regola nuova.</ins>" in page
        left = anna.http.post("/gateway/leave", headers=PAGE)
        assert left.status_code == 200
        assert anna.http.get("/").status_code == 401
    anna.close()
