"""A language model's server that misbehaves on purpose: limits hold, the key stays secret."""

import gzip
import json
import math
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.writing.prompt import Budget, Price, Prompt, object_schema
from biasloop.errors import LlmError
from biasloop.llm.answers import read_answer
from biasloop.llm.cache import AnswerCache
from biasloop.llm.client import Limits, LlmClient
from biasloop.llm.retry import seconds_to_next_try
from biasloop.llm.server import DIALECTS, MAX_BYTES, MAX_TOKENS, Server, read_completion
from support.llm_server import LlmServer, Reply, Script

KEY = "sk-Proj/7Q+x9 zLm&42=abcdefgh"
SCHEMA = object_schema({"text": {"type": "string"}})
ASK = ({"role": "system", "content": "Repeat."}, {"role": "user", "content": "text"})


def chat(url: str, timeout: float = 2.0) -> Any:
    server = Server(url, "a-model", KEY, timeout)
    try:
        return server.chat(ASK, SCHEMA, DIALECTS[0], temperature=0.0, tokens=50)
    finally:
        server.close()


def chat_with(script: Script) -> Any:
    with LlmServer(script).listening() as server:
        return chat(server.url)


@contextmanager
def raw_server(send: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does what `send` does with each connection, whatever it is asked."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, suppress(OSError):
                        connection.recv(65536)
                        send(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


def drip(data: bytes, forever: bytes) -> Callable[[socket.socket], None]:
    def send(connection: socket.socket) -> None:
        connection.sendall(data)
        while True:
            connection.sendall(forever)
            time.sleep(0.02)

    return send


@pytest.mark.parametrize(
    ("data", "forever"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"y"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    ],
)
def test_however_an_answer_is_dripped_it_ends_in_time(data: bytes, forever: bytes) -> None:
    with raw_server(drip(data, forever)) as url:
        done = threading.Event()

        def ask() -> None:
            with pytest.raises(LlmError):
                chat(url, timeout=0.5)
            done.set()

        threading.Thread(target=ask, daemon=True).start()
        assert done.wait(20), "the request never ends"


def completion(content: str, **more: Any) -> bytes:
    return json.dumps({"choices": [{"message": {"content": content}}], **more}).encode()


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_a_packed_answer_is_limited_after_unpacking(pack: Callable[[bytes], bytes]) -> None:
    name = {gzip.compress: "gzip", zlib.compress: "deflate"}[pack]
    headers = {"Content-Encoding": name}
    small = pack(completion("good"))
    assert chat_with(lambda _: Reply(body=small, headers=headers)).text == "good"
    bomb = pack(completion("a" * 200_000_000))
    assert len(bomb) < MAX_BYTES
    with pytest.raises(LlmError, match=f"more than {MAX_BYTES} bytes"):
        chat_with(lambda _: Reply(body=bomb, headers=headers))


@pytest.mark.parametrize("packing", ["br", "zstd", "gzip, gzip", "gzip"])
def test_an_answer_that_cannot_be_unpacked_is_refused(packing: str) -> None:
    with pytest.raises(LlmError, match="answered 200, but no model wrote that"):
        chat_with(lambda _: Reply(body=b"not packed", headers={"Content-Encoding": packing}))


@pytest.mark.parametrize("status", [200, 400, 401, 429, 500])
@pytest.mark.parametrize(
    "shape", [str, str.upper, lambda key: key[:20], lambda key: key[9:], json.dumps, repr]
)
def test_an_echoed_key_stands_in_no_message(status: int, shape: Callable[[str], str]) -> None:
    body = json.dumps({"error": {"message": f"İ wrong key {shape(KEY)}"}}).encode()
    with pytest.raises(LlmError) as caught:
        chat_with(lambda _: Reply(status=status, body=body))
    shown = f"{caught.value} {caught.value.__cause__}".lower()
    assert "***" in shown
    parts = {KEY[i : i + 8].lower() for i in range(len(KEY) - 8)}
    assert not [part for part in parts if part in shown]


def test_an_echoed_key_stands_in_no_answer_and_no_url_shows_its_password() -> None:
    assert KEY not in chat_with(lambda _: Reply(f"your key is {KEY}")).text
    with pytest.raises(LlmError) as caught:
        chat("http://me:hunter22@127.0.0.1:9/v1")
    assert "hunter22" not in str(caught.value)
    assert "127.0.0.1:9" in str(caught.value)


@given(
    st.none() | st.floats() | st.sampled_from([1e308, -1e308, math.nan, math.inf, 0.0]),
    st.floats(0.1, 600),
    st.floats(0, 1),
)
def test_whatever_wait_is_asked_for_tries_are_few_and_end(
    retry_after: float | None, patience: float, draw: float
) -> None:
    elapsed, tries = 0.0, 0
    while (
        wait := seconds_to_next_try(tries + 1, elapsed, patience, retry_after, draw)
    ) is not None:
        assert 0 <= wait <= patience
        elapsed += wait
        tries += 1
    assert elapsed <= patience
    assert tries <= 10 + patience / 5


@pytest.mark.parametrize("said", ["nan", "-1", "0", "-inf"])
def test_a_server_that_asks_for_no_wait_gets_no_storm(tmp_path: Path, said: str) -> None:
    busy = Reply(status=429, body=b"{}", headers={"Retry-After": said})
    with LlmServer(lambda _: busy).listening() as server:
        cache = AnswerCache(tmp_path / "llm.db")
        limits = Limits(1, 0.8, 50, Price(0, 0), Budget())
        client = LlmClient(Server(server.url, "m", KEY, 5), limits, cache, "test")
        client.ask([Prompt("Repeat.", "text", SCHEMA)])
        client.close()
        assert len(server.asked) < 8


@given(
    st.dictionaries(
        st.sampled_from(["prompt_tokens", "completion_tokens"]),
        st.integers()
        | st.floats()
        | st.text()
        | st.booleans()
        | st.sampled_from([10**30, -(10**30)]),
    )
)
def test_counted_tokens_are_credible_or_none(usage: dict[str, Any]) -> None:
    reply = read_completion(completion("x", usage=usage).decode())
    assert reply is not None
    for count in (reply.tokens_in, reply.tokens_out):
        assert count is None or (type(count) is int and 0 <= count <= MAX_TOKENS)


@pytest.mark.parametrize("depth", [100, 900, 940, 980, 100_000])
@pytest.mark.parametrize("shape", [("[", "]"), ('{"text":', "}")])
def test_a_deep_answer_is_no_answer(depth: int, shape: tuple[str, str]) -> None:
    opening, closing = shape
    deep = f'{{"text": {opening * depth}1{closing * depth}}}'
    assert isinstance(read_answer(deep, SCHEMA), str)
    with suppress(LlmError):
        chat_with(lambda _: Reply(body=deep.encode()))
    assert read_completion(deep) is None
