"""Sends a request to an OpenAI-compatible server and classifies its failures."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import httpx2
import openai

from biasloop.errors import LlmDown, LlmRefused

MAX_BYTES = 2**20
"""A longer answer is cut off."""
CUT = 2**16
"""Characters that are kept of an answer that was cut off; valid answers are far shorter."""
CONNECT_SECONDS = 10.0

Messages = Sequence[Mapping[str, str]]


class Unanswered(LlmDown):
    """The request can be repeated. `retry_after` is the wait in seconds that the server asked for;
    `charged` says whether it may have worked on an answer nevertheless; `busy` says whether it
    asked for fewer requests."""

    def __init__(
        self, message: str, *, charged: bool, busy: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.charged = charged
        self.busy = busy
        self.retry_after = retry_after


class PromptRefused(LlmRefused):
    """The server refused this request; it may take others."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a server accepts: its name for the limit of output tokens, whether it takes a
    temperature, and whether it can enforce a JSON Schema."""

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
            api_key=key or "none",  # the client requires a key, local servers ignore it
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
        """The reply to these messages. Raises Unanswered, PromptRefused, or LlmRefused when the
        server refuses all requests."""
        optional: dict[str, Any] = {dialect.limit: tokens}
        if dialect.temperature:
            optional["temperature"] = temperature
        if dialect.schema:
            named_schema = {"name": "answer", "schema": dict(schema), "strict": True}
            optional["response_format"] = {"type": "json_schema", "json_schema": named_schema}
        try:
            response = self._client.chat.completions.with_raw_response.create(
                model=self.model, messages=cast(Any, messages), **optional
            )
        except _TooLong as error:
            return Reply(error.head.decode("utf-8", "replace")[:CUT].ljust(CUT))
        except openai.APITimeoutError as error:
            unsent = isinstance(error.__cause__, httpx2.ConnectTimeout)
            message = f"{self._url} gave no answer in {self._timeout:g} s; {_ADVICE}"
            raise Unanswered(message, charged=not unsent) from error
        except openai.APIConnectionError as error:
            unsent = isinstance(error.__cause__, httpx2.ConnectError)
            message = f"{self._url} cannot be reached ({error.__cause__ or error}); {_ADVICE}"
            raise Unanswered(message, charged=not unsent) from error
        except openai.APIStatusError as error:
            raise self._refusal(error) from error
        except openai.OpenAIError as error:
            raise LlmRefused(f"{self._url}: {error}; check llm.base_url and the key") from error
        return _reply(response.text)

    def _refusal(self, error: openai.APIStatusError) -> Exception:
        status = error.status_code
        message = (
            f"{self._url}, model {self.model!r}, answered {status}: {str(error.message)[:300]}"
        )
        if status == httpx2.codes.TOO_MANY_REQUESTS:
            message += "; lower llm.concurrency or raise llm.patience_seconds"
            return Unanswered(message, charged=False, busy=True, retry_after=_retry_after(error))
        if status >= 500 or status in (httpx2.codes.REQUEST_TIMEOUT, httpx2.codes.CONFLICT):
            return Unanswered(message, charged=False, retry_after=_retry_after(error))
        if status in (401, 403, 404):
            return LlmRefused(f"{message}; check llm.base_url, llm.model and LLM_API_KEY")
        return PromptRefused(f"{message}; check that the model's context is long enough")


_ADVICE = "check that the server is running and that llm.base_url is right"


def _retry_after(error: openai.APIStatusError) -> float | None:
    try:
        return max(0.0, float(error.response.headers["retry-after"]))
    except (KeyError, ValueError):
        return None


def _reply(body: str) -> Reply:
    """The reply in a response's body; a body in another format is taken as the answer itself."""
    try:
        response = json.loads(body)
        text = response["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return Reply(body[:CUT])
    usage = response.get("usage")
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
    """An OpenAIError, so that the client lets it through unchanged."""

    def __init__(self, head: bytes) -> None:
        super().__init__(f"an answer of over {MAX_BYTES} bytes")
        self.head = head


class _Capped(httpx2.HTTPTransport):
    """Limits the time of a whole answer; a read time-out limits only the wait for each piece."""

    def __init__(self, timeout: float) -> None:
        super().__init__()
        self._seconds = timeout

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        deadline = time.monotonic() + self._seconds
        response = super().handle_request(request)
        assert isinstance(response.stream, httpx2.SyncByteStream)
        response.stream = _CappedStream(response.stream, deadline, request)
        return response


class _CappedStream(httpx2.SyncByteStream):
    def __init__(
        self, stream: httpx2.SyncByteStream, deadline: float, request: httpx2.Request
    ) -> None:
        self._stream = stream
        self._deadline = deadline
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        head = b""
        size = 0
        for piece in self._stream:
            size += len(piece)
            head += piece[: max(0, 4 * CUT - len(head))]
            if size > MAX_BYTES:
                raise _TooLong(head)
            if time.monotonic() > self._deadline:
                raise httpx2.ReadTimeout("the answer does not end", request=self._request)
            yield piece

    def close(self) -> None:
        self._stream.close()
