"""Sends a request to an OpenAI-compatible server and classifies its failures."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import httpx2
import openai

from biasloop.errors import LlmDown, LlmRefused
from biasloop.foreign import BadAnswer, TooSlow, hide_password, limit_answers, strike_secrets

MAX_BYTES = 2**20
"""A larger answer is not read to its end."""
CUT = 2**16
"""Characters that are kept of what the model wrote; valid answers are far shorter."""
MAX_TOKENS = 10**7
"""No request has more; a server that counts more has counted wrong."""
QUOTED = 300
"""Characters of a server's message that are shown."""
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


class NoCompletion(PromptRefused):
    """What came is not what a model wrote, such as a proxy's log-in page; `reply` is what it is
    charged as."""

    def __init__(self, message: str, reply: "Reply") -> None:
        super().__init__(message)
        self.reply = reply


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
    """A model on a server. An answer that is larger than MAX_BYTES or takes longer than `timeout`
    seconds is given up, however slowly it comes. The key stands in no message and no answer."""

    def __init__(self, base_url: str, model: str, key: str | None, timeout: float) -> None:
        self.model = model
        self._url = hide_password(base_url)
        self._key = key
        self._timeout = timeout
        connect = min(timeout, CONNECT_SECONDS)
        http = httpx2.Client(
            transport=httpx2.HTTPTransport(),
            timeout=httpx2.Timeout(timeout, connect=connect, pool=None),
        )
        limit_answers(http, seconds=timeout, size=MAX_BYTES, byte_stream=httpx2.ByteStream)
        self._client = openai.OpenAI(
            base_url=base_url,
            api_key=key or "none",  # the client requires a key, local servers ignore it
            max_retries=0,
            http_client=http,
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
        except (TooSlow, openai.APITimeoutError) as error:
            unsent = isinstance(error.__cause__, httpx2.ConnectTimeout)
            message = f"{self._url} gave no answer in {self._timeout:g} s; {_ADVICE}"
            raise Unanswered(message, charged=not unsent) from None
        except BadAnswer as error:
            raise self._no_completion(str(error), "") from None
        except openai.APIConnectionError as error:
            unsent = isinstance(error.__cause__, httpx2.ConnectError)
            reason = self._quoted(str(error.__cause__ or error))
            message = f"{self._url} cannot be reached ({reason}); {_ADVICE}"
            raise Unanswered(message, charged=not unsent) from None
        except openai.APIStatusError as error:
            raise self._refusal(error) from None
        except openai.OpenAIError as error:
            reason = self._quoted(str(error))
            raise LlmRefused(f"{self._url}: {reason}; check llm.base_url and the key") from None
        reply = read_completion(strike_secrets(response.text, [self._key]))
        if reply is None:
            raise self._no_completion(self._quoted(response.text), response.text)
        return reply

    def _no_completion(self, reason: str, body: str) -> NoCompletion:
        return NoCompletion(
            f"{self._url}, model {self.model!r}, answered 200, but no model wrote that: {reason}; "
            "check llm.base_url (most end in /v1), and that no proxy answers in its place",
            Reply(body[:CUT]),
        )

    def _quoted(self, message: str) -> str:
        """The beginning of what a server says, on one line and without the key."""
        return " ".join(strike_secrets(message[: 4 * CUT], [self._key]).split())[:QUOTED]

    def _refusal(self, error: openai.APIStatusError) -> Exception:
        status = error.status_code
        reason = self._quoted(str(error.message))
        message = f"{self._url}, model {self.model!r}, answered {status}: {reason}"
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


def read_completion(body: str) -> Reply | None:
    """The reply in a response's body; None where it is not one by OpenAI's protocol."""
    try:
        response = json.loads(body)
        text = response["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return None
    usage = response.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    return Reply(
        text[:CUT] if isinstance(text, str) else "",
        _count(counts.get("prompt_tokens")),
        _count(counts.get("completion_tokens")),
    )


def _count(value: object) -> int | None:
    credible = type(value) is int and 0 <= value <= MAX_TOKENS
    return value if isinstance(value, int) and credible else None
