"""What ends a connection to the page, and how many there may be."""

import contextlib
import resource
import socket
import time
from collections.abc import Callable, Iterator

import pytest
from fastapi import FastAPI, Request

from biasloop.web import connections
from biasloop.web.server import WebServer

HEAD = b"POST /policy/try HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900000\r\n\r\n"
ENDLESS = HEAD.replace(b"Content-Length: 900000", b"Transfer-Encoding: chunked")
CHUNK = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"


# --- what ends a connection ---------------------------------------------------------------------


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """A server that waits only for a short time."""
    for name in ("HEAD_SECONDS", "REQUEST_SECONDS", "LINGER_SECONDS"):
        monkeypatch.setattr(connections, name, 0.4)
    app = FastAPI()

    @app.post("/policy/try")
    async def read(request: Request) -> str:
        return str(len(await request.body()))

    @app.get("/large")
    def large() -> str:
        return "x" * 50_000_000

    server = WebServer(app, "127.0.0.1", 0)
    server.start()
    host, port = server.url.removeprefix("http://").split(":")
    yield host, int(port)
    server.stop()


@pytest.mark.parametrize(
    ("first", "piece"),
    [
        (b"", b""),
        (b"GET / HTTP/1.1\r\n", b""),
        (b"", b"G"),
        (b"GET / HTTP/1.1\r\nX: ", b"y"),
        (HEAD, b""),
        (HEAD, b"x"),
        (ENDLESS, b"1\r\nx\r\n"),
        (ENDLESS, CHUNK),
        (ENDLESS.replace(b"/policy/try", b"/nothing"), CHUNK),
        (b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", b""),
        (b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", b"G"),
        (b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n", b"G"),
    ],
)
def test_a_client_that_does_not_go_on_is_closed(
    address: tuple[str, int], first: bytes, piece: bytes
) -> None:
    with socket.create_connection(address, timeout=20) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(first)
        end = time.monotonic() + 20
        with contextlib.suppress(OSError):
            while time.monotonic() < end:
                if piece:
                    client.sendall(piece)
                time.sleep(0.02)
                if not piece and not is_open(client):
                    break
        assert time.monotonic() < end


def is_open(client: socket.socket) -> bool:
    """Whether the other side has not closed the connection."""
    info = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    return info[0] == 1  # TCP_ESTABLISHED


def test_who_waits_longest_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("biasloop.web.server.connection_limits", lambda: (8, 4))
    server = WebServer(FastAPI(), "127.0.0.1", 0)
    server.start()
    host, port = server.url.removeprefix("http://").split(":")
    clients = []
    for _ in range(20):
        clients.append(socket.create_connection((host, int(port)), timeout=20))
        time.sleep(0.02)
    time.sleep(0.2)
    assert [is_open(client) for client in clients] == [False] * 12 + [True] * 8
    for client in clients:
        client.close()
    server.stop()


@pytest.mark.parametrize("files", [64, 256, 1024, 10**6, resource.RLIM_INFINITY])
def test_most_files_are_left_to_the_loop(monkeypatch: pytest.MonkeyPatch, files: int) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    limit, backlog = connections.connection_limits()
    assert 4 <= backlog <= limit <= 200
    if files > 0:
        assert limit + 2 * backlog <= files / 2


def test_that_no_connection_can_be_accepted_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tell: Callable[..., None] = connections.AcceptErrors()
    for _ in range(100):
        tell(None, {"message": connections.ACCEPT_ERROR, "exception": OSError(24, "too many")})
    assert caplog.text.count("ulimit -n") == 1
