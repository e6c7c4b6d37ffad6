"""The page of the guideline: drafts tried over real HTTP with a scripted model, and comments."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from biasloop.domain.trial import Trial
from biasloop.service.service import Service
from biasloop.web.app import create_app
from biasloop.web.forms import MAX_FORM_BYTES, is_cross_site, is_ours
from biasloop.web.server import WebServer
from support.llm_model import RULE, by_guideline
from support.llm_server import Asked, LlmServer, Reply, is_probe, structured
from support.llm_workspaces import NOW, point_to
from support.workspaces import CopyBare

PATIENCE = 120
"""Seconds after which a test gives up; never a measure of anything."""
TEXTS = "Cercasi un cuoco.\nCercasi personale.\n"


@pytest.fixture
def model() -> Iterator[LlmServer]:
    with LlmServer(structured(by_guideline)).listening() as server:
        yield server


@pytest.fixture
def service(tmp_path: Path, copy_bare: CopyBare, model: LlmServer) -> Iterator[Service]:
    folder = copy_bare(tmp_path / "workspace", "job_ads_it")
    made = Service(point_to(folder, model.url))
    made.ledger.policies.add(made.campaign.policy, NOW)
    yield made
    made.ledger.close()


@pytest.fixture
def app(service: Service) -> Iterator[FastAPI]:
    made = create_app(service, lambda: None)
    yield made
    made.state.runner.stop()


@pytest.fixture
def client(app: FastAPI) -> Iterator[httpx.Client]:
    """A browser without scripts."""
    server = WebServer(app, "127.0.0.1", 0)
    server.start()
    with httpx.Client(
        base_url=server.url, headers={"Accept": "text/html"}, follow_redirects=True, timeout=60
    ) as made:
        yield made
    server.stop()


@pytest.fixture
def draft(service: Service) -> str:
    return f"{service.campaign.policy.text}\r\n{RULE}\r\n"


def wait_until(reached: Callable[[], bool]) -> None:
    last = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < last, "not reached"
        time.sleep(0.05)


def tried(client: httpx.Client, app: FastAPI, **form: str) -> str:
    """The page after a trial."""
    assert client.post("/policy/try", data={"by": "Rita"} | form).status_code == 200
    wait_until(lambda: app.state.runner.run.over)
    return client.get("/policy").text


def newest(service: Service) -> Trial:
    return service.ledger.trials.newest()


def test_a_draft_is_tried_on_scenarios_written_on_the_spot(
    client: httpx.Client, app: FastAPI, service: Service, draft: str
) -> None:
    assert "Try a draft" in client.get("/policy").text
    shown = tried(client, app, draft=draft, scenarios=TEXTS)
    trial = newest(service)
    assert (trial.by, len(trial.cases), trial.cases[0].changes) == ("Rita", 2, True)
    assert "\r" not in trial.draft.text
    assert f"biasloop policy adopt {trial.id}" in shown
    assert shown.index("1. Cercasi un cuoco.") < shown.index("1 scenario stays as it is")
    assert f'<div class="new text">{RULE}</div>' in shown
    assert "/policy" in client.get("/").text


def test_the_page_answers_while_a_trial_runs(
    client: httpx.Client, app: FastAPI, model: LlmServer, draft: str
) -> None:
    go_on = threading.Event()

    def slow(asked: Asked) -> Reply:
        if not is_probe(asked):
            go_on.wait(PATIENCE)
        return structured(by_guideline)(asked)

    model.script = slow
    form = {"draft": draft, "scenarios": TEXTS, "by": "Rita"}
    assert "A draft is being tried" in client.post("/policy/try", data=form).text
    wait_until(lambda: "0 of 4 requests answered" in client.get("/policy").text)
    assert client.get("/").status_code == 200
    second = client.post("/policy/try", data=form)
    assert (second.status_code, "a trial is already running" in second.text) == (422, True)
    go_on.set()
    wait_until(lambda: app.state.runner.run.over)
    assert "Would change" in client.get("/policy").text


def test_a_trial_ends_with_the_server(
    client: httpx.Client, app: FastAPI, model: LlmServer, service: Service, draft: str
) -> None:
    model.script = lambda asked: Reply(status=429, headers={"Retry-After": "3600"})
    client.post("/policy/try", data={"draft": draft, "scenarios": TEXTS, "by": "Rita"})
    wait_until(lambda: len(model.asked) > 0)
    app.state.runner.stop()
    assert app.state.runner.run.over
    assert service.ledger.trials.all() == []


def test_what_comes_from_outside_is_text(
    client: httpx.Client, app: FastAPI, service: Service, draft: str
) -> None:
    evil = "<script>alert(1)</script> cerca un cuoco"
    draft += "</textarea><script>alert(2)</script>"
    shown = tried(client, app, draft=draft, scenarios=evil, by="<script>alert(3)</script>")
    trial = newest(service)
    comment = {"trial": trial.id, "scenario": "1", "text": "<script>4</script>", "by": "<b>R</b>"}
    shown += client.post("/policy/comment", data=comment).text
    shown += client.get("/").text + client.get("/policy?trial=%3Cscript%3E").text
    assert "<script>" not in shown.replace('<script src="', "")
    assert "&lt;script&gt;alert(1)" in shown
    assert "<i>" not in shown
    assert "<b>R" not in shown


def test_comments_are_kept_and_shown(
    client: httpx.Client, app: FastAPI, service: Service, draft: str
) -> None:
    tried(client, app, draft=draft, scenarios=TEXTS)
    trial = newest(service).id
    said = {"trial": trial, "scenario": "2", "text": "Perché no?", "by": "Ugo"}
    answer = client.post("/policy/comment", data=said)
    assert (answer.status_code, answer.url.path) == (200, "/policy")
    assert "Perché no?" in client.get("/policy").text
    for wrong in (
        {"scenario": "3"},
        {"scenario": "x"},
        {"text": " "},
        {"by": ""},
        {"trial": "none"},
    ):
        assert client.post("/policy/comment", data=said | wrong).status_code == 422
    assert len(service.ledger.trials.comments(trial)) == 1
    assert client.get("/policy?trial=ffff").status_code == 404


def test_a_wrong_form_keeps_what_was_written(client: httpx.Client, draft: str) -> None:
    forms: list[tuple[dict[str, str], str]] = [
        ({"by": " "}, "enter your name"),
        ({"scenarios": "", "items": "0"}, "1 to 500 items"),
        ({"draft": ""}, "the draft is empty"),
        ({"scenarios": "x\n" * 2 + "\n".join(map(str, range(501)))}, "too many to read"),
    ]
    for changed, wrong in forms:
        form = {"draft": draft, "scenarios": "Una frase mia.", "by": "Rita"} | changed
        answer = client.post("/policy/try", data=form)
        assert answer.status_code == 422
        assert wrong in answer.text
        assert ("Una frase mia." in answer.text) == ("scenarios" not in changed)


def test_a_server_that_is_down_is_named(
    client: httpx.Client, app: FastAPI, model: LlmServer, draft: str
) -> None:
    model.script = lambda asked: Reply(status=401, body=b'{"error": "no"}')
    shown = tried(client, app, draft=draft, scenarios=TEXTS)
    assert "The draft could not be tried." in shown
    assert "LLM_API_KEY" in shown
    assert RULE in shown  # what was written is not lost
    assert "Cercasi personale." in shown


def test_without_a_model_it_says_what_to_do(tmp_path: Path, copy_bare: CopyBare) -> None:
    service = Service(copy_bare(tmp_path / "workspace", "job_ads_it"))
    server = WebServer(create_app(service, lambda: None), "127.0.0.1", 0)
    server.start()
    try:
        shown = httpx.get(f"{server.url}/policy", timeout=60).text
        answer = httpx.post(f"{server.url}/policy/try", data={"draft": "x", "by": "R"}, timeout=60)
    finally:
        server.stop()
        service.ledger.close()
    assert "name a language model" in shown
    assert "None is in force yet" in shown
    assert "<form class" not in shown
    assert (answer.status_code, "llm.base_url" in answer.text) == (422, True)


# --- other sites ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({}, False),
        ({"origin": "http://host:8090", "host": "host:8090"}, False),
        ({"origin": "http://evil.example", "host": "host:8090"}, True),
        ({"origin": "http://host:8091", "host": "host:8090"}, True),
        ({"origin": "null", "host": "host:8090"}, True),
        ({"sec-fetch-site": "same-origin", "origin": "null"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "cross-site"}, True),
        ({"sec-fetch-site": "same-site"}, True),
    ],
)
def test_who_sends_a_form(headers: dict[str, str], refused: bool) -> None:
    assert is_cross_site(headers) is refused


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("127.0.0.1:8090", True),
        ("192.168.1.7", True),
        ("[::1]:8090", True),
        ("localhost:8090", True),
        ("LOCALHOST", True),
        (f"{socket.gethostname()}:8090", True),
        ("Labels.example.org", True),
        ("evil.example:8090", False),
        ("localhost.evil.example", False),
        ("", False),
        ("[::1]", True),
    ],
)
def test_by_which_names_a_form_comes(host: str, ours: bool) -> None:
    assert is_ours(host, ("labels.example.org",)) is ours


@pytest.mark.parametrize("path", ["/policy/try", "/policy/comment"])
def test_other_sites_change_nothing(client: httpx.Client, service: Service, path: str) -> None:
    form = {"draft": "x", "by": "Rita", "trial": "1", "scenario": "1", "text": "t"}
    for headers in (
        {"Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example", "Sec-Fetch-Site": "same-origin"},
    ):
        assert client.post(path, data=form, headers=headers).status_code == 403
    assert client.post(path, content=b"x" * (MAX_FORM_BYTES + 1)).status_code == 413
    assert client.post(path, content=b"\xff=\xfe").status_code == 400
    assert client.get(path).status_code == 405
    assert service.ledger.trials.all() == []


@pytest.mark.parametrize(
    "number",
    ["9" * 400, "9" * 5000, "-1", "0", "1e3", "nan", "1.5", "", "٣" * 500, "²", "0x10", "\0"],
)
@pytest.mark.parametrize("path", ["/policy/try", "/policy/comment"])
def test_an_absurd_number_is_refused(
    client: httpx.Client, service: Service, path: str, number: str
) -> None:
    form = {"draft": "x", "by": "Rita", "trial": "1", "text": "t"}
    form |= {"items": number, "scenario": number}
    assert client.post(path, data=form).status_code == 422
