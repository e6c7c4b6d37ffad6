"""Secrets are struck out of whatever another program says, however it writes them; what reads it
is limited, or refuses to read."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any
from urllib.parse import quote, quote_plus, unquote

import httpx
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.errors import BiasloopError
from biasloop.foreign import PIECE, BadAnswer, hide_password, limit_answers, strike_secrets

LETTERS = st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_characters="*")
SECRETS = st.text(LETTERS, min_size=PIECE, max_size=60)
WAYS = (str, str.upper, str.lower, quote, quote_plus, lambda s: json.dumps(s)[1:-1])


@given(st.text(), SECRETS, st.text(), st.sampled_from(WAYS), st.integers(0, 20), st.integers(0, 20))
def test_no_piece_of_a_secret_remains(before, secret, after, way, start, cut) -> None:  # type: ignore[no-untyped-def]
    shown = strike_secrets(before + way(secret[start : len(secret) - cut]) + after, [secret])
    pieces = {secret[i : i + PIECE] for i in range(len(secret) - PIECE + 1)}
    assert not [piece for piece in pieces if piece in shown]


@given(st.text(max_size=200), SECRETS)
def test_what_is_not_secret_remains(text: str, secret: str) -> None:
    assert strike_secrets(text, [None, ""]) == text
    if secret[:PIECE].lower() not in text.lower() and len(secret) > len(text) + PIECE:
        assert strike_secrets(text, [secret]) == text


def test_a_short_secret_is_struck_out_as_a_whole() -> None:
    assert strike_secrets("the key hunter2 is wrong", ["hunter2"]) == "the key *** is wrong"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://host:80/v1", "http://host:80/v1"),
        ("http://me:secret@host/v1?a=b@c", "http://***@host/v1?a=b@c"),
        (
            "postgresql+psycopg://me:p%40ss@db.example/name",
            "postgresql+psycopg://***@db.example/name",
        ),
        ("https://me:p@ss@host", "https://***@host"),
        ("https://key@host", "https://***@host"),
        ("sqlite:////tmp/a@b.db", "sqlite:////tmp/a@b.db"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert hide_password(url) == shown


# --- limits -------------------------------------------------------------------------------------


@pytest.fixture
def url() -> Iterator[str]:
    """A server that answers every request with OK, and with what the path says of a header."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name, _, value = unquote(self.path[1:]).partition("=")
            self.send_response(302 if name == "Location" else 200)
            if value:
                self.send_header(name, value)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"OK")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


LIBRARIES = pytest.mark.parametrize("library", [httpx, httpx2])


@LIBRARIES
def test_a_library_that_can_be_limited_is_read(library: Any, url: str) -> None:
    with library.Client() as client:
        limit_answers(client, seconds=60, size=10, byte_stream=library.ByteStream)
        assert [client.get(url).status_code for _ in range(2)] == [200, 200]


@LIBRARIES
@pytest.mark.parametrize("name", ["_transport", "_mounts", "_pool", "_network_backend"])
def test_an_update_that_renames_what_is_replaced_is_refused(library: Any, name: str) -> None:
    with library.Client() as client:
        parts = {"_pool": client._transport, "_network_backend": client._transport._pool}
        part = parts.get(name, client)
        with pytest.MonkeyPatch.context() as patch:
            patch.delattr(part, name)
            with pytest.raises(BiasloopError, match=f"{library.__name__} cannot be limited"):
                limit_answers(client, seconds=1, size=1, byte_stream=library.ByteStream)


@LIBRARIES
def test_an_update_that_ignores_what_is_replaced_is_refused(library: Any, url: str) -> None:
    with library.Client() as client:
        pool = client._transport._pool
        backend = pool._network_backend
        limit_answers(client, seconds=60, size=10, byte_stream=library.ByteStream)
        pool._network_backend = backend
        with pytest.raises(BiasloopError, match=f"{library.__name__} cannot be limited"):
            client.get(url)


@LIBRARIES
@pytest.mark.parametrize("codec", ["hex", "rot13", "idna", "undefined", "latin-1"])
def test_no_codec_that_an_answer_names_is_used(library: Any, url: str, codec: str) -> None:
    with library.Client() as client:
        limit_answers(client, seconds=60, size=10, byte_stream=library.ByteStream)
        answer = client.get(f"{url}/{quote(f'Content-Type=text/html; charset={codec}')}")
        assert answer.text == "OK"


@LIBRARIES
@pytest.mark.parametrize("follow", [False, True])
@pytest.mark.parametrize("target", ["javascript:alert(1)", "http://[::1", "http:/\x7f", "mailto:x"])
def test_an_answer_that_points_nowhere_is_bad(
    library: Any, url: str, target: str, *, follow: bool
) -> None:
    with library.Client(follow_redirects=follow) as client:
        limit_answers(client, seconds=60, size=10, byte_stream=library.ByteStream)
        with pytest.raises(BadAnswer, match="points to what is no address"):
            client.get(f"{url}/{quote(f'Location={target}', safe='')}")
