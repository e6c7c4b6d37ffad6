"""A Label Studio that drips, floods or repeats secrets; it needs no real one."""

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from biasloop.errors import LabelStudioDown, LabelStudioError
from biasloop.labelstudio import calls, embedded
from biasloop.labelstudio.client import LabelStudioClient
from biasloop.labelstudio.embedded import EmbeddedLabelStudio
from biasloop.labelstudio.session import Session
from biasloop.labelstudio.signup import sign_up
from biasloop.reports.doctor import Check, _hub
from support.labelstudio_server import CONFIG

SECRET = "a1b2c3d4e5f6a7b8c9d0e1f2"
Call = Callable[[str, float], object]


def start(url: str, timeout: float) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded, "PROBE_SECONDS", timeout, raising=False)
        own_server(int(url.rpartition(":")[2]), Path()).start()


def own_server(port: int, data_dir: Path) -> EmbeddedLabelStudio:
    return EmbeddedLabelStudio(
        Path("no venv"),
        data_dir,
        port,
        email="admin@example.org",
        password=SECRET[::-1],
        token=SECRET,
        on_line=lambda _: None,
    )


def connect(url: str, timeout: float) -> None:
    with LabelStudioClient(url, SECRET, CONFIG, timeout=timeout) as client:
        client.whoami()


CALLS: list[Call] = [
    connect,
    lambda url, timeout: Session(url, "anna@example.org", SECRET, timeout),
    lambda url, timeout: sign_up(url, "invitation", "anna@example.org", SECRET, timeout),
    start,
]


@contextmanager
def raw_server(send: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does what `send` does with each connection, whatever it is asked."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def handle(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                connection.recv(65536)
                send(connection)

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=handle, args=(connection,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("first", "piece", "pause"),
    [
        (b"", b"H", 0.02),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", 0.02),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", b" ", 0.02),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"8\r\n        \r\n", 0),
    ],
)
def test_an_answer_without_end_ends_in_time(
    call: Call, first: bytes, piece: bytes, pause: float
) -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(first)
        while True:
            connection.sendall(piece)
            time.sleep(pause)

    done = threading.Event()

    def ask(url: str) -> None:
        with pytest.raises(LabelStudioError):
            call(url, 0.5)
        done.set()

    with raw_server(drip) as url:
        threading.Thread(target=ask, args=(url,), daemon=True).start()
        assert done.wait(20), "the request never ends"


def answering(status: int, body: bytes, *headers: str) -> Callable[[socket.socket], None]:
    head = "\r\n".join([f"HTTP/1.1 {status} X", *headers, f"Content-Length: {len(body)}"])

    def send(connection: socket.socket) -> None:
        connection.sendall(head.encode() + b"\r\n\r\n" + body)

    return send


@pytest.mark.parametrize("call", CALLS[:-1])
def test_a_packed_answer_is_limited(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "MAX_BYTES", 100_000)
    bomb = answering(200, gzip.compress(b" " * 50_000_000), "Content-Encoding: gzip")
    with raw_server(bomb) as url, pytest.raises(LabelStudioDown, match="more than 100000 bytes"):
        call(url, 5)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [400, 401, 403, 500])
def test_a_repeated_secret_is_struck_out(call: Call, status: int) -> None:
    said = {"detail": f"wrong: {SECRET}", "validation_errors": {"token": [SECRET.upper()]}}
    echo = answering(status, json.dumps(said).encode(), "Content-Type: application/json")
    with raw_server(echo) as url, pytest.raises(LabelStudioError) as caught:
        call(url, 5)
    assert SECRET not in f"{caught.value} {caught.value.__cause__}".lower()


@pytest.mark.parametrize("call", CALLS[:-1])
@pytest.mark.parametrize("head", ["Content-Encoding: {}", "Location: about:{}"])
def test_a_secret_that_is_repeated_in_the_head_is_not_quoted(call: Call, head: str) -> None:
    echo = answering(302, b"OK", head.format(SECRET))
    with raw_server(echo) as url, pytest.raises(LabelStudioError) as caught:
        call(url, 5)
    assert SECRET[:8] not in str(caught.value).lower()


def test_the_end_of_a_large_log_is_quoted_without_secrets(tmp_path: Path) -> None:
    server = own_server(1, tmp_path)
    server.log.write_text(f"{'x' * 100}\n" * 10_000 + f"wrong token {SECRET}\nthe last line\n")
    quoted = server._tail()
    assert quoted.endswith("the last line")
    assert SECRET not in quoted


@pytest.mark.parametrize("head", [b"H", b"HTTP/1.1 200 OK\r\n"])
def test_doctor_waits_a_limited_time_for_the_hub(
    head: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drip(connection: socket.socket) -> None:
        while True:
            connection.sendall(head)
            time.sleep(0.02)

    checks: list[Check] = []
    with raw_server(drip) as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        asking = threading.Thread(target=lambda: checks.append(_hub()), daemon=True)
        asking.start()
        asking.join(60)
    assert [(check.ok, check.needed) for check in checks] == [(False, False)]
    assert url in checks[0].found
