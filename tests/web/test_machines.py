"""What machines read, the webhook, and the server itself."""

import contextlib
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from biasloop.domain.round import STEPS, State
from biasloop.errors import ConfigError
from biasloop.labelstudio.client import WEBHOOK_HEADER
from biasloop.service.service import Service
from biasloop.web.server import WebServer
from biasloop.web.view import DOING, STEP_NAMES, pairs, progress
from biasloop.workspace.secrets import webhook_secret

Get = Callable[..., httpx.Response]


def gauges(get: Get) -> dict[tuple[str, ...], float]:
    """Value by (name without prefix, label values…)."""
    answer = get("/metrics", headers={"Accept": "*/*"})
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name.removeprefix("biasloop_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_metrics_of_an_empty_workspace(get: Get) -> None:
    found = gauges(get)
    assert {found["rounds", state] for state in State} == {0}
    assert found["loop", "running"] == 1
    assert found["budget_items",] == 1000
    assert ("last_label_timestamp_seconds",) not in found


def test_metrics_of_a_campaign(get: Get, campaign) -> None:
    campaign.whole()
    found = gauges(get)
    assert found["rounds", "closed"] == 4
    assert found["rounds", "aggregated"] == found["rounds", "pushed"] == 1
    assert found["failed_attempts",] == 1
    assert found["labelled_items", "human"] == 108
    assert found["open_tasks", "audit"] + found["open_tasks", "other"] == 12
    assert found["set_aside",] == 1
    assert found["pool_items", "real"] == 200
    assert found["labelstudio_trouble",] == 0
    assert found["audit_micro_f1", "low"] <= found["audit_micro_f1", "value"]
    assert found["acquired_ahead_micro_f1", "low"] <= found["acquired_ahead_micro_f1", "value"]
    assert -1 < found["labels_saved_ratio", "low"] <= found["labels_saved_ratio", "high"] < 1
    newest = max(a.at for a in campaign.ledger.annotations() if a.standing == "vote")
    assert found["last_label_timestamp_seconds",] == pytest.approx(newest.timestamp(), abs=1e-3)


def test_prometheus_may_ask_for_open_metrics(get: Get) -> None:
    answer = get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_status_is_json(get: Get, campaign) -> None:
    campaign.whole()
    found = get("/api/status").json()
    assert [r["id"] for r in found["rounds"]] == list(range(6))
    assert found["rounds"][5]["answered"] == 8
    assert found["rounds"][5]["arms"] == {"acquisition": 10, "audit": 5, "random_train": 5}
    assert found["evaluation"]["model_id"] == "r0003"
    assert found["last_label_at"].endswith(("Z", "+00:00"))
    assert len(found["curve"]) == 4
    assert found["savings"]["labels"] == 80
    assert [c["name"] for c in found["stopping"]["criteria"]] == ["gain", "kappa"]
    assert found["promotion"]["model_id"] == "r0003"


def test_a_figure_that_is_no_number_is_null(get: Get, campaign) -> None:
    campaign.whole()
    facts = {"round": 5, "low": math.nan, "high": math.inf}
    campaign.ledger.control.note(State.EXPANDED, facts, campaign.later())
    answer = get("/api/status")
    assert answer.status_code == 200
    event = next(e for e in answer.json()["events"] if "low" in e["data"])
    assert event["data"] == {"round": 5, "low": None, "high": None}


@pytest.fixture
def told(service: Service) -> dict[str, str]:
    """The headers that Label Studio was told to send."""
    secret = webhook_secret(service.layout.folder)
    assert secret
    return {WEBHOOK_HEADER: secret}


def test_a_webhook_wakes_the_loop(url: str, woken: threading.Event, told: dict[str, str]) -> None:
    event = {"action": "ANNOTATION_CREATED"}
    assert httpx.post(f"{url}/webhook", json=event, headers=told).status_code == 204
    assert woken.wait(20)


def test_a_webhook_needs_no_sense(url: str, woken: threading.Event, told: dict[str, str]) -> None:
    body = b"\xff{" * 10_000
    assert httpx.post(f"{url}/webhook", content=body, headers=told).status_code == 204
    assert woken.wait(20)


@pytest.mark.parametrize("sent", [{}, {WEBHOOK_HEADER: ""}, {WEBHOOK_HEADER: "x" * 64}])
def test_a_webhook_without_the_secret_is_refused(
    url: str, woken: threading.Event, sent: dict[str, str]
) -> None:
    assert httpx.post(f"{url}/webhook", json={}, headers=sent).status_code == 403
    assert not woken.is_set()


@pytest.mark.parametrize("length", ["Content-Length: 2000000000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("knows", [True, False])
def test_a_huge_webhook_is_refused_and_not_read(
    url: str, woken: threading.Event, told: dict[str, str], length: str, knows: bool
) -> None:
    host, port = url.removeprefix("http://").split(":")
    secret = f"{WEBHOOK_HEADER}: {told[WEBHOOK_HEADER]}\r\n" if knows else ""
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        head = f"POST /webhook HTTP/1.1\r\nHost: 127.0.0.1\r\n{secret}{length}\r\n\r\n"
        connection.sendall(head.encode())
        end = time.monotonic() + 20
        with contextlib.suppress(OSError):  # closed by the other side
            while time.monotonic() < end:
                connection.sendall(b"ffff\r\n" + b"x" * 0xFFFF + b"\r\n")
    assert time.monotonic() < end
    assert not woken.is_set()


# --- the server --------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[WebServer]:
    made = WebServer(FastAPI(), "127.0.0.1", 0)
    made.start()
    yield made
    made.stop()


def port_of(server: WebServer) -> int:
    return int(server.url.rpartition(":")[2])


def test_a_taken_port_names_the_setting(server: WebServer) -> None:
    with pytest.raises(ConfigError, match=r"taken.*web\.port.*BIASLOOP_WEB__PORT"):
        WebServer(FastAPI(), "127.0.0.1", port_of(server)).start()


def test_an_impossible_host_names_the_setting() -> None:
    with pytest.raises(ConfigError, match=r"web\.host"):
        WebServer(FastAPI(), "192.0.2.1", 0).start()


def test_a_stop_frees_the_port_and_can_be_repeated(server: WebServer) -> None:
    server.stop()
    server.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.url)
    again = WebServer(FastAPI(), "127.0.0.1", port_of(server))
    again.start()
    assert httpx.get(again.url).status_code == 404
    again.stop()


def test_a_server_that_never_started_can_be_stopped() -> None:
    WebServer(FastAPI(), "127.0.0.1", 0).stop()


# --- words -------------------------------------------------------------------------------------


def test_every_step_has_its_words_and_its_place() -> None:
    assert tuple(DOING) == STEP_NAMES == tuple(step for step, _ in STEPS.values())
    for i, step in enumerate(STEP_NAMES):
        places = [place for _, place in progress(step)]
        assert places == ["done"] * i + ["now"] + ["later"] * (len(STEP_NAMES) - i - 1)


def test_data_of_an_event_in_words() -> None:
    told = pairs({"pool_rows": 7, "scored_with": None, "expanded": {"counterfactual": 3}})
    assert told == "pool rows 7, scored with –, expanded (counterfactual 3)"
