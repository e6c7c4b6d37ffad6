"""`serve` as a process: what keeps it from starting, and how it ends."""

import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from support.cli import Cli, one_line
from support.ports import free_port

PATIENCE = 60
"""Seconds after which a test gives up; never a measure of anything."""


@contextmanager
def answering(port: int, answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[None]:
    """A server in the place of Label Studio."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        do_POST = do_GET  # noqa: N815 - the name is http.server's

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield
    server.shutdown()
    server.server_close()


def refuse(request: BaseHTTPRequestHandler) -> None:
    """As Label Studio answers to a wrong token."""
    body = json.dumps({"detail": "Invalid token."}).encode()
    request.send_response(401)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


class Drip:
    """An answer that never ends, a byte at a time."""

    def __init__(self) -> None:
        self.asked = threading.Event()

    def __call__(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.set()
        try:
            request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n")
            while True:
                request.wfile.write(b"0")
                time.sleep(0.05)
        except OSError:
            return  # the client has gone


@pytest.fixture
def site(cli: Cli) -> Cli:
    """A workspace for a Label Studio of its own, which is not there yet."""
    cli.environment |= {
        "BIASLOOP_LABELSTUDIO__URL": f"http://127.0.0.1:{free_port()}",
        "BIASLOOP_LABEL_STUDIO_TOKEN": "0" * 40,
        "BIASLOOP_WEB__PORT": str(free_port()),
        "BIASLOOP_SCHEDULER__POLL_SECONDS": "0.1",
        "BIASLOOP_SCHEDULER__RETRY_BASE_SECONDS": "0.1",
    }
    return cli


def port_of(site: Cli) -> int:
    return int(site.environment["BIASLOOP_LABELSTUDIO__URL"].rpartition(":")[2])


@contextmanager
def serving(site: Cli, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`serve`, once its loop runs; what it tells is in `log`."""
    with (
        log.open("wb") as told,
        subprocess.Popen(
            site.command("serve"), env=site.environment, stdout=told, stderr=told
        ) as process,
    ):
        try:
            until(lambda: "watch" in log.read_text("utf-8"))
            yield process
        finally:
            process.kill()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)


def test_a_service_that_label_studio_refuses_ends_and_says_so(site: Cli) -> None:
    with answering(port_of(site), refuse):
        try:
            done = site.process("serve", timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            done = None
    assert done is not None, "it never ended"
    assert "Invalid token" in one_line(done)


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8181",
        "localhost:8080",
        "label.example.org",
        "ftp://host",
        "http://",
        "http://host:port",
    ],
)
@pytest.mark.parametrize("key", ["LABELSTUDIO__URL", "LLM__BASE_URL"])
def test_what_is_no_address_is_refused_like_any_wrong_setting(
    site: Cli, key: str, url: str
) -> None:
    site.environment[f"BIASLOOP_{key}"] = url
    told = site.error("doctor", code=2)
    assert url in told
    assert "http://host:port" in told


@pytest.mark.parametrize(
    "key",
    ["LLM__BASE_URL", "WEB__PORT", "GATEWAY__WITH_SERVE", "LOOP__AUDIT_SHARE", "STOPPING__MODE"],
)
def test_a_password_in_the_wrong_place_is_not_shown(site: Cli, key: str) -> None:
    site.environment[f"BIASLOOP_{key}"] = "user:s3cr3t@host:80"
    assert "s3cr3t" not in site.error("doctor", code=2)


def test_a_page_that_cannot_be_served_ends_the_service(site: Cli) -> None:
    with socket.create_server(("127.0.0.1", int(site.environment["BIASLOOP_WEB__PORT"]))):
        assert "web.port" in one_line(site.process("serve", timeout=PATIENCE), 2)


def test_a_signal_ends_a_service_whatever_label_studio_does(site: Cli, tmp_path: Path) -> None:
    site.environment["BIASLOOP_LABELSTUDIO__TIMEOUT_SECONDS"] = "1"
    log, drip = tmp_path / "log", Drip()
    with serving(site, log) as process, answering(port_of(site), drip):
        assert drip.asked.wait(PATIENCE)
        process.send_signal(signal.SIGINT)
        try:
            status = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            status = None
        assert status == 0
    assert "again stops at once; nothing is lost" in log.read_text("utf-8")


def test_a_second_signal_ends_at_once_what_runs(site: Cli, tmp_path: Path) -> None:
    site.environment["BIASLOOP_LABELSTUDIO__TIMEOUT_SECONDS"] = "3600"
    log, drip = tmp_path / "log", Drip()
    with serving(site, log) as process, answering(port_of(site), drip):
        assert drip.asked.wait(PATIENCE)
        process.send_signal(signal.SIGTERM)
        until(lambda: "stopping" in log.read_text("utf-8"))
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            status = None
        assert status == 128 + signal.SIGTERM
    assert site("pause").startswith("paused")  # the workspace is as usable as before
