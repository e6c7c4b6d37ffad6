"""The time for an answer is for the whole of it."""

import socket
import threading
import time

import pytest

from biasloop.errors import LabelStudioDown
from biasloop.labelstudio.connection import Connection
from support.labelstudio_server import CONFIG

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99999\r\n\r\n"
GIVES_UP = 20
"""Seconds after which the server ends an answer that should have been given up long before."""


@pytest.mark.parametrize("begins", [b"", b"HTTP/1.1 2", HEAD, HEAD + b'{"email": "'])
def test_an_answer_that_drips_is_given_up(begins: bytes) -> None:
    given_up = threading.Event()

    def drip(listener: socket.socket) -> None:
        line, _ = listener.accept()
        with line:
            last = time.monotonic() + GIVES_UP
            try:
                line.sendall(begins)
                while time.monotonic() < last:
                    line.sendall(b" ")
                    time.sleep(0.05)
            except OSError:
                given_up.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=drip, args=[listener], daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(LabelStudioDown), Connection(url, "0" * 40, CONFIG, timeout=0.5) as to:
            to.whoami()
    assert given_up.wait(GIVES_UP), "it was read to its end"
