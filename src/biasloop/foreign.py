"""What other programs send: answers within limits, and messages without secrets.

Any program on the other end of a connection may be slow, endless or malicious, and any message from
it may repeat the secret that it was sent.
"""

import json
import re
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, quote_plus

from biasloop.errors import BiasloopError

HEAD_BYTES = 2**17
"""What the head of an answer may add to its size."""
MAX_REDIRECTS = 3
STRUCK = "***"
PIECE = 8
"""A part of a secret that is at least this long is struck out as well."""
MIN_SECRET = 4
"""A shorter secret would strike out ordinary words; it protects nothing anyway."""


class BadAnswer(Exception):
    """An answer that is larger than its limit, packed in a way that was not asked for, or points to
    what cannot be requested. The message quotes nothing of it, since it may repeat a secret."""


class TooSlow(BadAnswer):
    """An answer that was not complete in time."""


# --- secrets ------------------------------------------------------------------------------------


def strike_secrets(text: str, secrets: Iterable[str | None]) -> str:
    """The text with every secret replaced by stars, also where it is cut, in other case, or encoded
    as in URLs and JSON."""
    # Letter by letter, since some have a longer lower case and the places must stay the same.
    lowered = "".join(low if len(low := letter.lower()) == 1 else letter for letter in text)
    marks = bytearray(len(text))
    for secret in secrets:
        for form in _forms(secret or ""):
            size = min(PIECE, len(form))
            for start in range(len(form) - size + 1):
                piece = form[start : start + size]
                at = lowered.find(piece)
                while at >= 0:
                    marks[at : at + size] = b"\1" * size
                    at = lowered.find(piece, at + 1)
    return "".join(
        STRUCK if marks[run.start()] else text[run.start() : run.end()]
        for run in re.finditer(rb"\x00+|\x01+", bytes(marks))
    )


def _forms(secret: str) -> set[str]:
    """How a secret may be written, in lower case."""
    if len(secret) < MIN_SECRET:
        return set()
    encoded = {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}
    return {form.lower() for form in encoded}


def hide_password(url: str) -> str:
    """A URL that can be shown: without the name and the password before the host."""
    return re.sub(r"(?<=://)[^/\s]*@", f"{STRUCK}@", url)


# --- limits -------------------------------------------------------------------------------------


def limit_answers(
    client: Any, *, seconds: float, size: int, byte_stream: Callable[[bytes], Any]
) -> None:
    """Limits every answer that this client of httpx or httpx2 reads: from the first byte that is
    sent to the last that is read it takes at most `seconds`, and it has at most `size` bytes, also
    after unpacking. Requests then raise TooSlow or BadAnswer. `byte_stream` is the library's class.

    The library's own time-outs limit only the wait for the next piece. There is no public way to
    limit the whole, so the connections are replaced by ones that enforce the limits.
    Raises BiasloopError when a version of the library has other connections; so does a request
    whose answer did not come through them.
    """
    library, allowance = type(client).__module__.partition(".")[0], _Allowance()
    try:
        transports = (client._transport, *client._mounts.values())
        for pool in [transport._pool for transport in transports if transport is not None]:
            pool._network_backend = _Network(pool._network_backend, allowance)
    except AttributeError as error:
        raise _cannot_limit(library) from error

    def begin(_request: Any) -> None:
        allowance.begin(seconds, size)

    def unpack(response: Any) -> None:
        if not allowance.in_use:
            raise _cannot_limit(library)
        response.encoding = "utf-8"  # it may name any codec of Python, also such that raise
        if response.has_redirect_location:
            _check_target(response)
        if packing := response.headers.get("content-encoding"):
            packed = response.stream
            plain = _unpacked(b"".join(packed), packing, size)
            packed.close()
            response.stream = byte_stream(plain)
            del response.headers["content-encoding"]

    client.max_redirects = MAX_REDIRECTS
    client.headers["Accept-Encoding"] = "gzip"
    client.event_hooks = {"request": [begin], "response": [unpack]}


def _cannot_limit(library: str) -> BiasloopError:
    return BiasloopError(
        f"answers read with the installed version of {library} cannot be limited; install the "
        "version that constraints.txt names"
    )


def _check_target(response: Any) -> None:
    """Raises BadAnswer when an answer points to something that cannot be requested; the libraries
    build the next request even if they do not follow, and raise what is no error of a request."""
    try:
        target = response.url.join(response.headers["location"])
    except Exception:
        target = None
    if target is None or target.scheme not in ("http", "https") or not target.host:
        raise BadAnswer("an answer that points to what is no address")


def _unpacked(packed: bytes, packing: str, size: int) -> bytes:
    if not packed or packing.lower() == "identity":
        return packed
    if packing.lower() not in ("gzip", "x-gzip", "deflate"):
        raise BadAnswer("an answer packed in a way that was not asked for")
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS + 32)  # gzip or zlib, by its head
    try:
        plain = unpacker.decompress(packed, size + 1)
    except zlib.error as error:
        raise BadAnswer(f"an answer that cannot be unpacked ({error})") from None
    if len(plain) > size:
        raise BadAnswer(f"an answer of more than {size} bytes")
    return plain


class _Allowance(threading.local):
    """What the request that runs in this thread may still take."""

    deadline = float("inf")
    seconds = float("inf")
    size = 0
    bytes_left = float("inf")

    def begin(self, seconds: float, size: int) -> None:
        self.deadline = time.monotonic() + seconds
        self.seconds, self.size = seconds, size
        self.bytes_left = size + HEAD_BYTES

    @property
    def in_use(self) -> bool:
        """Whether the answer to the request of this thread came through our connections."""
        return self.bytes_left < self.size + HEAD_BYTES

    def time_left(self, timeout: float | None) -> float:
        """The time-out of the next operation. Raises TooSlow when none is left."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TooSlow(f"no complete answer in {self.seconds:g} s")
        return left if timeout is None else min(left, timeout)

    def take(self, received: bytes) -> bytes:
        self.bytes_left -= len(received)
        if self.bytes_left < 0:
            raise BadAnswer(f"an answer of more than {self.size} bytes")
        return received


class _Network:
    """A network backend of httpcore whose connections keep to the allowance."""

    def __init__(self, backend: Any, allowance: _Allowance) -> None:
        self._backend = backend
        self._allowance = allowance

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, **options: Any
    ) -> "_Connection":
        limit = self._allowance.time_left(timeout)
        stream = self._backend.connect_tcp(host, port, timeout=limit, **options)
        return _Connection(stream, self._allowance)

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)


class _Connection:
    """A network stream of httpcore that keeps to the allowance."""

    def __init__(self, stream: Any, allowance: _Allowance) -> None:
        self._stream = stream
        self._allowance = allowance

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        limit = self._allowance.time_left(timeout)
        return self._allowance.take(self._stream.read(max_bytes, timeout=limit))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout=self._allowance.time_left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(self, *args: Any, **options: Any) -> "_Connection":
        options["timeout"] = self._allowance.time_left(options.get("timeout"))
        return _Connection(self._stream.start_tls(*args, **options), self._allowance)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
