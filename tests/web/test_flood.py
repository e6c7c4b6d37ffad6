"""A flood of silent, slow and endless clients: the page answers and the loop goes on (S7)."""

import contextlib
import multiprocessing
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import psutil
import pytest

from biasloop.service.service import Service
from support.flooded import serve_with_few_files

HEAD = b"POST /policy/try HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900000\r\n\r\n"
ENDLESS = HEAD.replace(b"Content-Length: 900000", b"Transfer-Encoding: chunked")
CHUNK = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"


class LabelStudioStandIn(BaseHTTPRequestHandler):
    polls = 0

    def do_GET(self) -> None:
        LabelStudioStandIn.polls += 1
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def polled() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), LabelStudioStandIn) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def wait_for_polls(count: int) -> None:
    """Waits for this many more polls; how fast they come depends on the machine."""
    target, deadline = LabelStudioStandIn.polls + count, time.monotonic() + 120
    while LabelStudioStandIn.polls < target and time.monotonic() < deadline:
        time.sleep(0.1)
    assert LabelStudioStandIn.polls >= target


def answers(url: str) -> bool:
    """Whether the page answers in time."""
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{url}/health", timeout=20).is_success
    return False


def keep_sending(
    address: tuple[str, int], first: bytes, piece: bytes, stop: threading.Event
) -> None:
    """A client that comes back whenever it is closed."""
    while not stop.is_set():
        with contextlib.suppress(OSError), socket.create_connection(address, timeout=5) as client:
            client.sendall(first)
            while not stop.wait(0 if len(piece) > 1 else 0.05):
                client.sendall(piece)


@pytest.mark.parametrize("idle", [300, pytest.param(2000, marks=pytest.mark.heavy)])
def test_a_flood_of_connections_leaves_room_for_the_loop(
    service: Service, polled: str, idle: int
) -> None:
    folder = service.layout.folder
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(
        target=serve_with_few_files, args=(folder, polled, there), daemon=True
    )
    process.start()
    stop, silent, threads = threading.Event(), [], []
    try:
        assert here.poll(60)
        url = here.recv()
        assert httpx.get(f"{url}/health", timeout=20).status_code == 200
        before = psutil.Process(process.pid).memory_info().rss
        host, port = url.removeprefix("http://").split(":")
        address = (host, int(port))
        for first, piece in [(b"G", b"E"), (HEAD, b"x"), (ENDLESS, CHUNK)] * 5:
            sender = (address, first, piece, stop)
            threads.append(threading.Thread(target=keep_sending, args=sender))
            threads[-1].start()
        for _ in range(idle):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(address)
            silent.append(client)
        assert [answers(url) for _ in range(5)] == [True] * 5
        wait_for_polls(5)
        grown = psutil.Process(process.pid).memory_info().rss - before
    finally:
        stop.set()
        for client in silent:
            client.close()
        for thread in threads:
            thread.join()
        here.send("stop")
    assert here.poll(60)
    failures = here.recv()
    process.join()
    assert failures == []
    assert grown < 100_000_000
