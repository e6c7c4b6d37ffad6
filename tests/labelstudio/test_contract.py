"""Tests that the adapter keeps the contract of its port with the real server."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import islice
from queue import Queue
from threading import Thread
from typing import Any
from uuid import uuid4

import httpx
import pytest

from biasloop.domain.task import LabelTask, PushedTask, TaskState
from biasloop.domain.writing.judgement import Judgement
from biasloop.errors import LabelStudioDown, LabelStudioRefused
from biasloop.labelstudio import task_client
from biasloop.labelstudio.client import WEBHOOK_HEADER, LabelStudioClient
from biasloop.labelstudio.tasks import chosen, to_html
from support.labelstudio_server import CONFIG, INSTRUCTION, LABEL_CONFIG, Annotator, Server
from support.ports import free_port

HOSTILE = "<script>alert('x')</script> & <b>È</b> \\u0000 \u202e 👩🏽 $text {{ 7*7 }}\n\t=1+1"


def items(n: int, prefix: str = "item") -> list[LabelTask]:
    return [LabelTask(f"{prefix}-{i:04}", f"Frase numero {i}.", "L'annuncio.", 1) for i in range(n)]


def states(client: LabelStudioClient, moment: Any = None) -> dict[str, TaskState]:
    return {state.item_id: state for state in client.changed_since(moment)}


def test_whoami_names_version_and_account(
    label_studio_client: LabelStudioClient, label_studio_server: Server
) -> None:
    answer = label_studio_client.whoami()
    assert answer.email == label_studio_server.email
    assert answer.version.startswith("1.")


# --- project ----------------------------------------------------------------------------------


def test_a_project_is_created_once_and_found_again(label_studio_server: Server) -> None:
    title = f"test {uuid4().hex[:12]}"
    ids = set()
    for _ in range(2):
        with LabelStudioClient(
            label_studio_server.url, label_studio_server.token, CONFIG
        ) as client:
            ids.add(client.ensure_project(title, LABEL_CONFIG, INSTRUCTION))
            ids.add(client.ensure_project(title, "\n " + LABEL_CONFIG, "Altre linee guida."))
    assert len(ids) == 1


def test_a_renamed_project_is_found_by_its_id(label_studio_server: Server) -> None:
    url, token = label_studio_server.url, label_studio_server.token
    with LabelStudioClient(url, token, CONFIG) as client:
        project = client.ensure_project(f"test {uuid4().hex[:12]}", LABEL_CONFIG, INSTRUCTION)
    with LabelStudioClient(url, token, CONFIG, project=project) as client:
        assert client.ensure_project("another title", LABEL_CONFIG, INSTRUCTION) == project


def test_settings_of_the_project(
    label_studio_client: LabelStudioClient, label_studio_server: Server
) -> None:
    label_studio_client.ensure_project(
        "whatever", LABEL_CONFIG, "# Età\n\n<script>alert(1)</script> | **mai**"
    )
    project = httpx.get(
        f"{label_studio_server.url}/api/projects/{label_studio_client.project}",
        headers={"Authorization": f"Token {label_studio_server.token}"},
    ).json()
    assert project["sampling"] == "Sequential sampling"
    assert project["show_instruction"] is True
    assert project["show_collab_predictions"] is False
    assert "<h1>Età</h1>" in project["expert_instruction"]
    assert "<strong>mai</strong>" in project["expert_instruction"]
    assert "<script>" not in project["expert_instruction"]


def test_another_label_config_is_refused(label_studio_client: LabelStudioClient) -> None:
    changed = LABEL_CONFIG.replace('value="gender"', 'value="sex"')
    with pytest.raises(LabelStudioRefused, match="another label config"):
        label_studio_client.ensure_project("whatever", changed, INSTRUCTION)


def test_a_project_of_somebody_else_with_our_title_is_refused(label_studio_server: Server) -> None:
    title = f"test {uuid4().hex[:12]}"
    httpx.post(
        f"{label_studio_server.url}/api/projects",
        json={"title": title},
        headers={"Authorization": f"Token {label_studio_server.token}"},
    ).raise_for_status()
    with (
        LabelStudioClient(label_studio_server.url, label_studio_server.token, CONFIG) as client,
        pytest.raises(LabelStudioRefused, match="did not create"),
    ):
        client.ensure_project(title, LABEL_CONFIG, INSTRUCTION)


def test_before_there_is_a_project(label_studio_server: Server) -> None:
    with (
        LabelStudioClient(label_studio_server.url, label_studio_server.token, CONFIG) as client,
        pytest.raises(LabelStudioRefused, match="biasloop up"),
    ):
        client.task_url()


# --- push -------------------------------------------------------------------------------------


def test_pushing_twice_creates_no_duplicates(label_studio_client: LabelStudioClient) -> None:
    first = label_studio_client.push(items(5))
    again = label_studio_client.push(items(8))
    assert {item: again[item] for item in first} == first
    assert len(states(label_studio_client)) == len(again) == len(set(again.values())) == 8


def test_annotators_see_tasks_in_the_order_of_the_push(
    label_studio_client: LabelStudioClient, annotator: Annotator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_client, "PUSH_SIZE", 3)
    monkeypatch.setattr(task_client, "LOOKUP_SIZE", 2)
    batch = items(7)[::-1]
    ids = label_studio_client.push(batch)
    assert list(ids) == [task.item_id for task in batch]
    seen = []
    while (task_id := annotator.next_task()) is not None:
        seen.append(annotator.task(task_id)["data"]["item_id"])
        annotator.label(task_id, "age")
    assert seen == [task.item_id for task in batch]


def test_item_ids_of_digits_are_found_exactly(label_studio_client: LabelStudioClient) -> None:
    batch = [LabelTask(i, "t", "c", 1) for i in ("0012", "12", "1e3", "1000", "12.0", "null")]
    ids = label_studio_client.push(batch)
    task_ids = label_studio_client.task_ids([task.item_id for task in batch])
    assert task_ids == {item: [task] for item, task in ids.items()}
    assert label_studio_client.task_ids(["0012", "120", ""]) == {"0012": [ids["0012"]]}


def test_a_thousand_items_fit_the_url(label_studio_client: LabelStudioClient) -> None:
    batch = items(1000, prefix=uuid4().hex[:20])
    assert label_studio_client.push(batch) == label_studio_client.push(batch)
    assert len(states(label_studio_client)) == 1000


def test_tasks_of_an_earlier_attempt_are_looked_up_after_the_newest_task(
    label_studio_client: LabelStudioClient,
) -> None:
    before = label_studio_client.push(items(3))
    known = PushedTask(items(3)[2].item_id, before[items(3)[2].item_id])
    batch = items(5, prefix="later")
    earlier = label_studio_client.push(batch[:2], known)
    sent = label_studio_client.push(batch, known)
    assert {item: sent[item] for item in earlier} == earlier
    assert len(states(label_studio_client)) == 8


def test_all_tasks_are_looked_up_if_the_newest_was_deleted(
    label_studio_client: LabelStudioClient,
) -> None:
    """On SQLite the next tasks get the ids of those that were deleted."""
    before = label_studio_client.push(items(3))
    newest = PushedTask(*list(before.items())[-1])
    label_studio_client.withdraw([newest.task_id])
    batch = items(4, prefix="later")
    earlier = label_studio_client.push(batch[:1], newest)
    sent = label_studio_client.push(batch, newest)
    assert {item: sent[item] for item in earlier} == earlier
    assert len(states(label_studio_client)) == 6


def test_a_prelabel_is_shown_where_the_project_says_so(
    label_studio_client: LabelStudioClient, annotator: Annotator
) -> None:
    project = label_studio_client.project
    title = f"prelabels {uuid4().hex[:8]}"
    suggested = replace(items(1)[0], prelabel=Judgement(("age", "gender"), 0.8, "because"))
    label_studio_client._project = None
    label_studio_client.ensure_project(title, LABEL_CONFIG, INSTRUCTION, prelabels=True)
    [task] = label_studio_client.push([suggested]).values()
    [shown] = annotator.task(task)["predictions"]
    assert shown["result"][0]["value"] == {"choices": ["age", "gender"]}
    assert shown["score"] == pytest.approx(0.8)
    settings = annotator._json("GET", f"/api/projects/{label_studio_client.project}")
    assert settings["show_collab_predictions"]
    assert settings["model_version"] == shown["model_version"]
    assert states(label_studio_client)[suggested.item_id].annotations == ()  # it is no answer
    label_studio_client._project = project


def lose_answers(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """The server commits the next imports, but its answers are lost."""
    send = httpx.Client.send
    remaining = [times]

    def lossy(self: httpx.Client, request: httpx.Request, **kwargs: Any) -> httpx.Response:
        answer = send(self, request, **kwargs)
        if request.url.path.endswith("/import") and remaining[0]:
            remaining[0] -= 1
            assert answer.is_success
            raise httpx.ReadTimeout("lost on the way", request=request)
        return answer

    monkeypatch.setattr(httpx.Client, "send", lossy)


def test_a_committed_import_whose_answer_is_lost_is_not_repeated(
    label_studio_client: LabelStudioClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_client, "PUSH_SIZE", 2)
    lose_answers(monkeypatch, times=2)
    ids = label_studio_client.push(items(5))
    assert sorted(state.task_id for state in states(label_studio_client).values()) == sorted(
        ids.values()
    )
    assert len(ids) == 5


def test_an_import_that_nobody_saw_committed_is_down_and_then_repeated(
    label_studio_client: LabelStudioClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = httpx.Client.send

    def unreachable(self: httpx.Client, request: httpx.Request, **kwargs: Any) -> httpx.Response:
        if request.url.path.endswith("/import"):
            raise httpx.ConnectTimeout("no way", request=request)
        return send(self, request, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(httpx.Client, "send", unreachable)
        with pytest.raises(LabelStudioDown, match="import 3 tasks"):
            label_studio_client.push(items(3))
    assert len(label_studio_client.push(items(3))) == 3
    assert len(states(label_studio_client)) == 3


def test_an_import_committed_late_leaves_no_duplicates(
    label_studio_client: LabelStudioClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The import of an earlier call becomes visible only after the next call has looked it up."""
    late = LabelStudioClient._newer_than
    first: dict[str, int] = {}

    def blind_once(self: LabelStudioClient, last: int) -> dict[str, list[int]]:
        monkeypatch.setattr(LabelStudioClient, "_newer_than", late)
        first.update(self.push(items(4)))
        return {}

    monkeypatch.setattr(LabelStudioClient, "_newer_than", blind_once)
    assert label_studio_client.push(items(4)) == first
    assert len(list(label_studio_client.changed_since(None))) == 4


def test_hostile_text_survives_verbatim(
    label_studio_client: LabelStudioClient, annotator: Annotator
) -> None:
    batch = [
        LabelTask("hostile", HOSTILE, HOSTILE[::-1], 3),
        LabelTask("long", "à<i>" * 12_500, "", 3),
        LabelTask("address", "s3://bucket/key", "/data/upload/1.png", 3),
    ]
    ids = label_studio_client.push(batch)
    for task in batch:
        data = annotator.task(ids[task.item_id])["data"]
        assert data == {
            "item_id": task.item_id,
            "text": task.text,
            "context": task.context,
            "round": 3,
        }


# --- pull -------------------------------------------------------------------------------------


def test_the_poll_follows_every_change_of_an_annotation(
    label_studio_client: LabelStudioClient, annotator: Annotator, label_studio_server: Server
) -> None:
    ids = label_studio_client.push(items(6))
    quiet = states(label_studio_client)
    moment = max(state.updated_at for state in quiet.values()) + timedelta(microseconds=1)
    assert states(label_studio_client, moment) == {}

    new, skipped = annotator.label(ids["item-0000"], "age", "gender"), ids["item-0001"]
    annotator.skip(skipped)
    annotator.draft(ids["item-0002"], "age")
    changed = states(label_studio_client, moment)
    assert set(changed) == {"item-0000", "item-0001"}
    [annotation] = changed["item-0000"].annotations
    assert chosen(annotation.result, CONFIG.choices) == ("age", "gender")
    assert (annotation.id, annotation.annotator) == (new, label_studio_server.email)
    assert (annotation.seconds, annotation.skipped) == (3.5, False)
    [skip] = changed["item-0001"].annotations
    assert (skip.skipped, tuple(skip.result)) == (True, ())

    moment = changed["item-0001"].updated_at + timedelta(microseconds=1)
    annotator.change(new, "inclusive")
    changed = states(label_studio_client, moment)
    assert set(changed) == {"item-0000"}
    [annotation] = changed["item-0000"].annotations
    assert (annotation.id, chosen(annotation.result, "label")) == (new, ("inclusive",))

    moment = changed["item-0000"].updated_at + timedelta(microseconds=1)
    annotator.delete(new)
    annotator.delete(skip.id)
    changed = states(label_studio_client, moment)
    assert {item: tuple(state.annotations) for item, state in changed.items()} == {
        "item-0000": (),
        "item-0001": (),
    }
    assert states(label_studio_client, changed["item-0001"].updated_at) != {}


def test_deleting_in_bulk_is_followed_too(
    label_studio_client: LabelStudioClient, annotator: Annotator, label_studio_server: Server
) -> None:
    ids = label_studio_client.push(items(2))
    for task_id in ids.values():
        annotator.label(task_id, "age")
    before = max(state.updated_at for state in states(label_studio_client).values())
    httpx.post(
        f"{label_studio_server.url}/api/dm/actions",
        params={"id": "delete_tasks_annotations", "project": label_studio_client.project},
        json={"selectedItems": {"all": True, "excluded": []}},
        headers={"Authorization": f"Token {label_studio_server.token}"},
    ).raise_for_status()
    changed = states(label_studio_client, before + timedelta(microseconds=1))
    assert [len(state.annotations) for state in changed.values()] == [0, 0]


def test_other_controls_come_back_verbatim(
    label_studio_client: LabelStudioClient, annotator: Annotator, label_studio_server: Server
) -> None:
    [task_id] = label_studio_client.push(items(1)).values()
    span = {
        "id": "s1",
        "from_name": "span",
        "to_name": "text",
        "type": "labels",
        "value": {"start": 0, "end": 5, "text": "Frase", "labels": ["age"], "x": [None, 1.5]},
    }
    result = [*annotator.result("age"), span]
    httpx.post(
        f"{label_studio_server.url}/api/tasks/{task_id}/annotations/",
        json={"result": result},
        headers={"Authorization": f"Token {label_studio_server.token}"},
    ).raise_for_status()
    [state] = label_studio_client.changed_since(None)
    assert list(state.annotations[0].result) == result


def test_pages_and_tasks_without_item_id(
    label_studio_client: LabelStudioClient,
    label_studio_server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(task_client, "PAGE_SIZE", 2)
    label_studio_client.push(items(4))
    httpx.post(
        f"{label_studio_server.url}/api/projects/{label_studio_client.project}/import",
        json=[{"data": {"text": "by hand", "context": ""}}],
        headers={"Authorization": f"Token {label_studio_server.token}"},
    ).raise_for_status()
    item_ids = [state.item_id for state in label_studio_client.changed_since(None)]
    assert item_ids == [task.item_id for task in items(4)]


def test_a_task_is_shown_to_the_next_annotator_when_more_votes_are_needed(
    label_studio_client: LabelStudioClient, annotator: Annotator, label_studio_server: Server
) -> None:
    [task_id] = label_studio_client.push(items(1)).values()
    with _second(label_studio_client, label_studio_server) as second:
        annotator.label(task_id, "age")
        assert (annotator.next_task(), second.next_task()) == (None, None)
        assert _only(label_studio_client).overlap == 1
        label_studio_client.set_overlap(task_id, 2, done=False)
        assert _only(label_studio_client).overlap == 2
        assert (annotator.next_task(), second.next_task()) == (None, task_id)
        label_studio_client.push([*items(1), *items(1, prefix="later")])
        assert second.next_task() == task_id  # a later import takes nothing back
        second.label(task_id, "gender")
        label_studio_client.set_overlap(task_id, 3, done=False)
        label_studio_client.set_overlap(task_id, 2, done=True)
        assert second.next_task() != task_id


def test_what_is_given_back_is_asked_again_and_no_other_vote_or_draft_is_lost(
    label_studio_client: LabelStudioClient, annotator: Annotator, label_studio_server: Server
) -> None:
    [task_id] = label_studio_client.push(items(1)).values()
    with _second(label_studio_client, label_studio_server) as second:
        annotator.label(task_id, "inclusive", "age")
        vote = second.label(task_id, "age")
        draft = second.draft(task_id, "gender")
        label_studio_client.set_overlap(task_id, 2, done=True)
        bad, _ = sorted(_only(label_studio_client).annotations, key=lambda a: a.id)
        annotator.change(bad.id, "age")
        label_studio_client.give_back(bad)  # it was mended meanwhile
        assert len(_only(label_studio_client).annotations) == 2
        annotator.change(bad.id, "inclusive", "age")
        bad, _ = sorted(_only(label_studio_client).annotations, key=lambda a: a.id)
        for _ in range(2):
            label_studio_client.give_back(bad)
        assert [a.id for a in _only(label_studio_client).annotations] == [vote]
        assert (annotator.next_task(), second.next_task()) == (task_id, None)
        assert second.drafts(task_id) == [draft]


def _only(client: LabelStudioClient) -> TaskState:
    [state] = client.changed_since(None)
    return state


def _second(client: LabelStudioClient, server: Server) -> Annotator:
    """Another annotator of the same project."""
    email = f"{uuid4().hex[:12]}@example.org"
    client.add_annotator(email, "a-long-Password-2")
    return Annotator.sign_in(server.url, email, "a-long-Password-2", client.project)


def test_withdrawing(label_studio_client: LabelStudioClient, annotator: Annotator) -> None:
    ids = label_studio_client.push(items(4))
    annotator.label(ids["item-0001"], "age")
    gone = [ids["item-0000"], ids["item-0001"]]
    for _ in range(2):
        label_studio_client.withdraw(gone)
    label_studio_client.withdraw([])
    assert set(states(label_studio_client)) == {"item-0002", "item-0003"}
    assert set(label_studio_client.task_ids(list(ids))) == {"item-0002", "item-0003"}


# --- annotators -------------------------------------------------------------------------------


def test_an_annotator_signs_in_and_labels(
    label_studio_client: LabelStudioClient, label_studio_server: Server
) -> None:
    [task_id] = label_studio_client.push(items(1)).values()
    email, password = f"Anna.{uuid4().hex[:8]}@example.org", "Una-buona-parola-1"
    account = label_studio_client.add_annotator(email, password)
    assert label_studio_client.add_annotator(email, "Tutta-un-altra-2").id == account.id
    with pytest.raises(PermissionError):
        Annotator.sign_in(label_studio_server.url, email, "Tutta-un-altra-2", 1)
    with Annotator.sign_in(
        label_studio_server.url, email, password, label_studio_client.project
    ) as anna:
        assert anna.next_task() == task_id
        anna.label(task_id, "gender")
    [state] = label_studio_client.changed_since(None)
    assert state.annotations[0].annotator == account.email == email.lower()


def test_a_weak_password_is_refused_in_the_words_of_the_form(
    label_studio_client: LabelStudioClient,
) -> None:
    with pytest.raises(LabelStudioRefused, match="8–128 characters"):
        label_studio_client.add_annotator(f"{uuid4().hex[:8]}@example.org", "abc")


def test_sign_up_stays_closed(label_studio_server: Server) -> None:
    with httpx.Client(base_url=label_studio_server.url) as http:
        http.get("/user/login/")
        form = {
            "email": "stranger@example.org",
            "password": "Una-buona-parola-1",
            "csrfmiddlewaretoken": http.cookies["csrftoken"],
        }
        assert http.post("/user/signup/", data=form).status_code == 403


# --- webhook ----------------------------------------------------------------------------------


def test_a_webhook_wakes_without_content_and_is_set_up_once(
    label_studio_client: LabelStudioClient, annotator: Annotator, label_studio_server: Server
) -> None:
    calls: Queue[dict[str, Any]] = Queue()

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            calls.put(call | {"secret": self.headers[WEBHOOK_HEADER]})
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    [task_id] = label_studio_client.push(items(1)).values()
    with HTTPServer(("127.0.0.1", 0), Listener) as listener:
        Thread(target=listener.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{listener.server_port}/wake"
        label_studio_client.add_webhook(url, "old")  # nobody calls twice, nor with an old secret
        label_studio_client.add_webhook(url, "secret")
        label_studio_client.add_webhook(url, "secret")
        annotation = annotator.label(task_id, "age")
        annotator.change(annotation, "gender")
        annotator.delete(annotation)
        heard = [calls.get(timeout=10) for _ in range(3)]
        listener.shutdown()
    assert calls.empty()
    assert [call["action"] for call in heard] == [
        "ANNOTATION_CREATED",
        "ANNOTATION_UPDATED",
        "ANNOTATIONS_DELETED",
    ]
    assert all("annotation" not in call and "task" not in call for call in heard)
    assert {call["secret"] for call in heard} == {"secret"}


# --- failures ---------------------------------------------------------------------------------


def test_a_wrong_token_is_refused(label_studio_server: Server) -> None:
    with (
        LabelStudioClient(label_studio_server.url, "wrong" * 8, CONFIG) as client,
        pytest.raises(LabelStudioRefused, match="copy it again"),
    ):
        client.ensure_project("x" * 10, LABEL_CONFIG, INSTRUCTION)


# The SDK reads the answer to its refresh by a method that pydantic has deprecated.
@pytest.mark.filterwarnings("ignore:The `parse_obj` method:DeprecationWarning:label_studio_sdk")
def test_a_personal_access_token_works(label_studio_server: Server) -> None:
    headers = {"Authorization": f"Token {label_studio_server.token}"}
    url = label_studio_server.url
    settings = f"{url}/api/jwt/settings"
    httpx.post(
        settings,
        json={"api_tokens_enabled": True, "legacy_api_tokens_enabled": True},
        headers=headers,
    ).raise_for_status()
    token = httpx.post(f"{url}/api/token/", headers=headers).raise_for_status().json()["token"]
    with LabelStudioClient(url, token, CONFIG) as client:
        assert client.whoami().email == label_studio_server.email


def test_a_project_that_is_gone_is_refused(label_studio_server: Server) -> None:
    with LabelStudioClient(
        label_studio_server.url, label_studio_server.token, CONFIG, project=987_654
    ) as client:
        with pytest.raises(LabelStudioRefused, match="does not exist"):
            client.push(items(1))
        with pytest.raises(LabelStudioRefused, match="does not exist"):
            client.ensure_project("any", LABEL_CONFIG, INSTRUCTION)


def test_content_that_the_server_refuses(label_studio_server: Server) -> None:
    with (
        LabelStudioClient(label_studio_server.url, label_studio_server.token, CONFIG) as client,
        pytest.raises(LabelStudioRefused, match=r"400"),
    ):
        client.ensure_project("x", LABEL_CONFIG, INSTRUCTION)  # titles have 3 letters at least


def test_a_dead_server_is_down() -> None:
    with (
        LabelStudioClient(f"http://127.0.0.1:{free_port()}", "t" * 40, CONFIG) as client,
        pytest.raises(LabelStudioDown, match="is it running"),
    ):
        client.whoami()


@pytest.mark.parametrize("status", [200, 404, 502])
def test_something_that_answers_html_is_down(status: int) -> None:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "13")
            self.end_headers()
            self.wfile.write(b"<html></html>")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        with (
            LabelStudioClient(f"http://127.0.0.1:{server.server_port}", "t", CONFIG) as client,
            pytest.raises(LabelStudioDown, match="without JSON"),
        ):
            client.whoami()
        server.shutdown()


def test_an_address_that_is_none_is_refused() -> None:
    with (
        LabelStudioClient("labelstudio.example", "t", CONFIG) as client,
        pytest.raises(LabelStudioRefused, match="http://host:port"),
    ):
        client.whoami()


# --- what cannot be read --------------------------------------------------------------------------


def test_one_answer_that_label_studio_cannot_list_costs_no_other(
    label_studio_client: LabelStudioClient, annotator: Annotator
) -> None:
    """A browser sends half a surrogate pair for an emoji that was cut in two."""
    ids = label_studio_client.push(items(9))
    for task_id in ids.values():
        annotator.label(task_id, "age")
    poisoned = list(ids)[5]
    half = {"from_name": "rewrite", "to_name": "text", "type": "textarea"}
    result = [*annotator.result("age"), {**half, "value": {"text": ["\ud83d"]}}]
    body = json.dumps({"result": result, "lead_time": 2.0})
    sent = annotator._http.post(
        f"/api/tasks/{ids[poisoned]}/annotations/",
        content=body,
        headers={"Content-Type": "application/json"},
    )
    assert sent.status_code in (201, 500)  # it is stored in either case
    found = states(label_studio_client)
    assert [item for item, state in found.items() if state.unreadable] == [poisoned]
    assert {item: len(state.annotations) for item, state in found.items()} == {
        item: int(item != poisoned) for item in ids
    }


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"[]",
        b"7",
        b'"ok"',
        b'{"tasks": 3}',
        b'{"tasks": [{"id": "x"}]}',
        b'{"tasks": [null], "total": 1}',
        b"[" * 100_000 + b"]" * 100_000,
        b'{"tasks": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_an_answer_of_another_shape_is_named_as_such(body: bytes) -> None:
    with (
        answering(body) as url,
        LabelStudioClient(url, "0" * 40, CONFIG, project=1) as client,
        pytest.raises(LabelStudioDown, match="is that Label Studio"),
    ):
        list(client.changed_since(None))


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@pytest.mark.parametrize("ids", [(1, 1), (2, 1), (1, 2)])
def test_tasks_that_are_listed_twice_or_without_end_are_not_believed(
    ids: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their answers would count twice; and a cache gives the first page again and again."""
    monkeypatch.setattr(task_client, "PAGE_SIZE", 2)
    one = {"data": {"item_id": "a", "text": "x"}, "updated_at": "2026-03-01T00:00:00Z"}
    tasks = [one | {"id": number, "overlap": 1, "annotations": []} for number in ids]
    with (
        answering(json.dumps({"tasks": tasks, "total": 2}).encode()) as url,
        LabelStudioClient(url, "0" * 40, CONFIG, project=1) as client,
        pytest.raises(LabelStudioDown, match="is that Label Studio"),
    ):
        list(islice(client.changed_since(None), 10))


def test_another_project_in_place_of_ours_is_not_believed() -> None:
    project = {
        "id": 2,
        "label_config": LABEL_CONFIG,
        "expert_instruction": to_html(INSTRUCTION),
        "show_instruction": True,
        "sampling": "Sequential sampling",
        "show_collab_predictions": False,
    }
    with (
        answering(json.dumps(project).encode()) as url,
        LabelStudioClient(url, "0" * 40, CONFIG, project=1) as client,
    ):
        with pytest.raises(LabelStudioDown, match="is that Label Studio"):
            client.ensure_project("test", LABEL_CONFIG, INSTRUCTION)
        assert client.project == 1


@contextmanager
def answering(body: bytes) -> Iterator[str]:
    """A server that gives every request this answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", free_port()), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
