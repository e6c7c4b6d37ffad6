"""Only requests to this page are answered, and only Label Studio wakes the loop (S5, S6)."""

import re
import socket
import threading
import time

import httpx
import pytest

from biasloop.service.service import Service
from biasloop.web.app import create_app

PATHS = (
    "/", "/annotators", "/item", "/item/x", "/item/", "/api/status", "/metrics", "/health",
    "/webhook", "/disputed", "/prevalence", "/policy", "/policy/", "/policy/try", "/policy/comment",
    "/plotly.min.js", "/static", "/static/style.css", "/nothing",
    "/exports", "/exports/x", "/exports/x/zip", "/exports/x/files/x",
)  # fmt: skip
"""Every page, what redirects, and what does not exist."""


def test_the_paths_are_all(service: Service) -> None:
    routes = {getattr(route, "path", "") for route in create_app(service, lambda: None).routes}
    assert {re.sub("{[^}]*}", "x", path) for path in routes} <= set(PATHS)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8090",
        "localhost.evil.example",
        "",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "OPTIONS"])
def test_under_another_name_nothing_answers(
    url: str, woken: threading.Event, method: str, host: str
) -> None:
    with httpx.Client(base_url=url, headers={"Host": host}) as client:
        for path in PATHS:
            answer = client.request(method, path)
            assert answer.status_code == 403, path
            assert "location" not in answer.headers
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not woken.is_set()


def test_only_label_studio_wakes_the_loop(url: str, woken: threading.Event) -> None:
    with httpx.Client(base_url=url) as client:
        assert client.post("/webhook", json={"action": "ANNOTATION_CREATED"}).status_code == 403
        assert client.post("/webhook", content=b"x" * 20_000_000).status_code == 403
    assert not woken.is_set()


def test_clients_that_go_away_fill_no_log(url: str, caplog: pytest.LogCaptureFixture) -> None:
    host, port = url.removeprefix("http://").split(":")
    head = b"POST /policy/try HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000\r\n\r\nx"
    for sent in (head, b"no HTTP\r\n\r\n", head.replace(b"\r\n\r", b"\r\nUpgrade: x\r\n\r")):
        with socket.create_connection((host, int(port)), timeout=20) as client:
            client.sendall(sent)
            time.sleep(0.1)
    time.sleep(0.3)
    assert httpx.get(f"{url}/health", timeout=20).is_success
    assert not [r for r in caplog.records if r.name.startswith(("uvicorn", "asyncio"))]
