"""One request to an OpenAI-compatible server, and what every way of failing means."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import httpx2
import openai

from biasloop.errors import LlmDown, LlmRefused

MAX_BYTES = 2**20
"""Of one answer; more is cut off."""
CUT = 2**16
"""Characters that are kept of an answer that was cut off; a good one is far shorter."""
CONNECT_SECONDS = 10.0

Messages = Sequence[Mapping[str, str]]


class Unanswered(LlmDown):
    """Worth another try. `retry_after` in seconds, where the server said; `charged`, whether it
    may have worked on an answer all the same; `busy`, whether it asked for fewer requests."""

    def __init__(
        self, why: str, *, charged: bool, busy: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(why)
        self.charged = charged
        self.busy = busy
        self.retry_after = retry_after


class PromptRefused(LlmRefused):
    """The server refused this request; it may take others."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a server wants to be asked: what it calls the limit of an answer, whether it takes a
    temperature, and whether it answers by a JSON Schema."""

    limit: str = "max_tokens"
    temperature: bool = True
    schema: bool = True


DIALECTS = (
    Dialect(),
    Dialect(limit="max_completion_tokens", temperature=False),  # OpenAI's reasoning models
    Dialect(schema=False),
)
"""In the order in which they are tried."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model wrote; tokens are None where the server did not count them."""

    text: str
    tokens_in: int | None = None
    tokens_out: int | None = None


class Server:
    """A model on a server. An answer that is longer than MAX_BYTES or takes longer than `timeout`
    seconds is cut off, however slowly it comes."""

    def __init__(self, base_url: str, model: str, key: str | None, timeout: float) -> None:
        self.model = model
        self._url = base_url
        self._timeout = timeout
        connect = min(timeout, CONNECT_SECONDS)
        self._client = openai.OpenAI(
            base_url=base_url,
            api_key=key or "none",  # local servers want none, the client wants one
            max_retries=0,
            http_client=httpx2.Client(
                transport=_Capped(timeout),
                timeout=httpx2.Timeout(timeout, connect=connect, pool=None),
                headers={"Accept-Encoding": "identity"},
            ),
        )

    def close(self) -> None:
        """Closes its connections."""
        self._client.close()

    def chat(
        self,
        messages: Messages,
        schema: Mapping[str, Any],
        dialect: Dialect,
        *,
        temperature: float,
        tokens: int,
    ) -> Reply:
        """Raises Unanswered, PromptRefused, or LlmRefused when the server takes no request."""
        more: dict[str, Any] = {dialect.limit: tokens}
        if dialect.temperature:
            more["temperature"] = temperature
        if dialect.schema:
            named = {"name": "answer", "schema": dict(schema), "strict": True}
            more["response_format"] = {"type": "json_schema", "json_schema": named}
        try:
            response = self._client.chat.completions.with_raw_response.create(
                model=self.model, messages=cast(Any, messages), **more
            )
        except _TooLong as error:
            return Reply(error.head.decode("utf-8", "replace")[:CUT].ljust(CUT))
        except openai.APITimeoutError as error:
            unsent = isinstance(error.__cause__, httpx2.ConnectTimeout)
            why = f"{self._url} gave no answer in {self._timeout:g} s; {_ADVICE}"
            raise Unanswered(why, charged=not unsent) from error
        except openai.APIConnectionError as error:
            unsent = isinstance(error.__cause__, httpx2.ConnectError)
            why = f"{self._url} cannot be reached ({error.__cause__ or error}); {_ADVICE}"
            raise Unanswered(why, charged=not unsent) from error
        except openai.APIStatusError as error:
            raise self._refusal(error) from error
        except openai.OpenAIError as error:
            raise LlmRefused(f"{self._url}: {error}; check llm.base_url and the key") from error
        return _reply(response.text)

    def _refusal(self, error: openai.APIStatusError) -> Exception:
        status = error.status_code
        said = f"{self._url}, model {self.model!r}, answered {status}: {str(error.message)[:300]}"
        if status == httpx2.codes.TOO_MANY_REQUESTS:
            why = f"{said}; lower llm.concurrency or raise llm.patience_seconds"
            return Unanswered(why, charged=False, busy=True, retry_after=_retry_after(error))
        if status >= 500 or status in (httpx2.codes.REQUEST_TIMEOUT, httpx2.codes.CONFLICT):
            return Unanswered(said, charged=False, retry_after=_retry_after(error))
        if status in (401, 403, 404):
            return LlmRefused(f"{said}; check llm.base_url, llm.model and LLM_API_KEY")
        return PromptRefused(f"{said}; check that the model's context is long enough")


_ADVICE = "check that it runs, and llm.base_url"


def _retry_after(error: openai.APIStatusError) -> float | None:
    try:
        return max(0.0, float(error.response.headers["retry-after"]))
    except (KeyError, ValueError):
        return None


def _reply(body: str) -> Reply:
    """What stands in a response's body; a body of another kind is taken for the answer itself."""
    try:
        found = json.loads(body)
        text = found["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return Reply(body[:CUT])
    usage = found.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    return Reply(
        text[:CUT] if isinstance(text, str) else "",
        _count(counts.get("prompt_tokens")),
        _count(counts.get("completion_tokens")),
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


# --- the cap ----------------------------------------------------------------------------------


class _TooLong(openai.OpenAIError):
    """Passes through the client as it is."""

    def __init__(self, head: bytes) -> None:
        super().__init__(f"an answer of over {MAX_BYTES} bytes")
        self.head = head


class _Capped(httpx2.HTTPTransport):
    """A read time-out bounds each wait for a piece of an answer; this bounds the whole of it."""

    def __init__(self, timeout: float) -> None:
        super().__init__()
        self._seconds = timeout

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        until = time.monotonic() + self._seconds
        response = super().handle_request(request)
        assert isinstance(response.stream, httpx2.SyncByteStream)
        response.stream = _CappedStream(response.stream, until, request)
        return response


class _CappedStream(httpx2.SyncByteStream):
    def __init__(
        self, stream: httpx2.SyncByteStream, until: float, request: httpx2.Request
    ) -> None:
        self._stream = stream
        self._until = until
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        head = b""
        size = 0
        for piece in self._stream:
            size += len(piece)
            head += piece[: max(0, 4 * CUT - len(head))]
            if size > MAX_BYTES:
                raise _TooLong(head)
            if time.monotonic() > self._until:
                raise httpx2.ReadTimeout("the answer does not end", request=self._request)
            yield piece

    def close(self) -> None:
        self._stream.close()
