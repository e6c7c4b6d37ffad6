"""A language model behind any OpenAI-compatible server: many prompts at once, each paid once.

Known answers come from the cache. When the server is rate-limited, down or slow, requests are
repeated for a limited time. After the budget is spent or the server has failed repeatedly, no more
requests are sent, and the remaining prompts are returned as not asked.
"""

import random
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import count

from biasloop.domain.writing.prompt import (
    CHARACTERS_PER_TOKEN,
    Answer,
    Budget,
    Price,
    Problem,
    Prompt,
    Spending,
    object_schema,
)
from biasloop.errors import LlmDown, LlmError, LlmRefused
from biasloop.llm.answers import read_answer, repair_messages
from biasloop.llm.cache import AnswerCache, request_key
from biasloop.llm.retry import seconds_to_next_try
from biasloop.llm.server import (
    CUT,
    DIALECTS,
    Dialect,
    Messages,
    NoCompletion,
    PromptRefused,
    Reply,
    Server,
    Unanswered,
)
from biasloop.ports import Checkpoint, no_checkpoint

MAX_FAILURES = 3
"""After this many failed prompts in a row, no more requests are sent."""
CHECK_SECONDS = 0.1

PROBE = Prompt("Answer in one word.", "Is water wet?", object_schema({"wet": {"type": "boolean"}}))
"""Does not mention JSON: only a server that enforces the schema gives a valid answer."""


class _Stopped(Exception):
    """No further request may be sent."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`concurrency` requests at a time, each repeated for up to `patience` seconds; an answer has
    at most `tokens` tokens. `budget` is in the currency of `price`."""

    concurrency: int
    patience: float
    tokens: int
    price: Price
    budget: Budget


class LlmClient:
    """See ports.Generator. `purse` names what the spending is charged to, such as a round."""

    def __init__(self, server: Server, limits: Limits, cache: AnswerCache, purse: str) -> None:
        self._server = server
        self._limits = limits
        self._cache = cache
        self._purse = purse
        self._dialect: Dialect | None = None
        self._probing = threading.Lock()
        self._lock = threading.Lock()
        self._failed_in_a_row = 0
        self._not_before = 0.0
        self._stop_event = threading.Event()
        self._stopped: str | None = None

    @property
    def stopped(self) -> str | None:
        """Why no more requests are sent, in words; None while they are."""
        return self._stopped

    def close(self) -> None:
        """Closes its connections and the cache."""
        self._server.close()
        self._cache.close()

    def spending(self) -> Spending:
        """What this purse was charged so far, including by earlier processes."""
        return self._cache.spending(self._purse)

    def ask(
        self,
        prompts: Sequence[Prompt],
        *,
        checkpoint: Checkpoint = no_checkpoint,
        progress: Callable[[int], None] = lambda _: None,
    ) -> list[Answer]:
        """The answers, in the order of the prompts; `progress` is called now and then with the
        number of prompts that are done. Raises WorkspaceError when the cache cannot be used."""
        keys = [self._key(prompt, _messages(prompt)) for prompt in prompts]
        distinct = dict(zip(keys, prompts, strict=True))
        with ThreadPoolExecutor(self._limits.concurrency) as pool:
            futures = {key: pool.submit(self._answer, prompt) for key, prompt in distinct.items()}
            try:
                for done in _wait(futures.values()):
                    progress(done)
                    checkpoint()
            except BaseException:
                self._stop("interrupted")
                raise
        answers = {key: future.result() for key, future in futures.items()}
        return [answers[key] for key in keys]

    def probe(self) -> Dialect:
        """The dialect that this server accepts, found once by trying them in turn.

        Raises LlmDown when the server does not answer, LlmRefused when it refuses all dialects.
        """
        with self._probing:
            if self._dialect is None:
                self._dialect = self._find_dialect()
            return self._dialect

    def _find_dialect(self) -> Dialect:
        refusal: PromptRefused | None = None
        for dialect in DIALECTS:
            try:
                raw = self._send(PROBE, _messages(PROBE), dialect, key=None)
            except PromptRefused as error:
                refusal = error
                continue
            except Unanswered as error:
                raise LlmDown(str(error)) from error
            if not dialect.schema or not isinstance(read_answer(raw, PROBE.schema), str):
                return dialect
        if refusal is None:
            return DIALECTS[-1]
        raise LlmRefused(str(refusal)) from refusal

    # --- one prompt ----------------------------------------------------------------------------

    def _answer(self, prompt: Prompt) -> Answer:
        messages = _messages(prompt)
        keys: list[str] = []
        try:
            for _ in range(2):  # the second time with what was wrong
                keys.append(self._key(prompt, messages))
                raw = self._cache.answer(keys[-1])
                if raw is None:
                    raw = self._send(prompt, messages, self.probe(), keys[-1])
                value = read_answer(raw, prompt.schema)
                if not isinstance(value, str):
                    return Answer(value)
                if len(raw) >= CUT:
                    break
                messages += repair_messages(raw, value, prompt.schema)
        except _Stopped:
            return Answer(problem=Problem.NOT_ASKED)
        except (Unanswered, PromptRefused) as error:
            self._count_failure(error)
            return Answer(problem=Problem.NO_ANSWER)
        except LlmError as error:
            self._stop(str(error))
            return Answer(problem=Problem.NOT_ASKED)
        self._cache.discard(keys)  # so that the next command asks again
        return Answer(problem=Problem.SCHEMA)

    def _send(self, prompt: Prompt, messages: Messages, dialect: Dialect, key: str | None) -> str:
        """Sends a request, repeatedly while another try may help. Without a key the answer is not
        stored in the cache."""
        start = time.monotonic()
        for attempt in count(1):
            self._wait_for_turn()
            number = self._charge(key or "probe", prompt, messages)
            try:
                reply = self._server.chat(
                    messages,
                    prompt.schema,
                    dialect,
                    temperature=prompt.temperature,
                    tokens=self._limits.tokens,
                )
            except Unanswered as error:
                if not error.charged:
                    self._cache.settle(number, None, Spending())
                elapsed = time.monotonic() - start
                pause = seconds_to_next_try(
                    attempt,
                    elapsed,
                    self._limits.patience,
                    error.retry_after,
                    random.random(),  # noqa: S311
                )
                if pause is None:
                    raise
                self._pause(pause, for_all=error.busy)
            except NoCompletion as error:
                self._cache.settle(number, None, self._actual_spending(error.reply, messages))
                raise
            except LlmRefused:
                self._cache.settle(number, None, Spending())
                raise
            else:
                self._cache.settle(
                    number, reply.text if key else None, self._actual_spending(reply, messages)
                )
                self._failed_in_a_row = 0
                return reply.text
        raise AssertionError("count() never ends")

    def _charge(self, key: str, prompt: Prompt, messages: Messages) -> int:
        """Charges the highest possible cost of this request. Raises _Stopped when the budget does
        not cover it."""
        worst = self._spending(_tokens(messages), self._limits.tokens)
        number = self._cache.begin(key, self._purse, prompt.roots, worst, self._limits.budget)
        if number is None:
            total = self._cache.spending()
            self._stop(
                f"the budget does not cover another request: {self.spending().cost:.2f} of "
                f"{self._limits.budget.purse:g} spent for {self._purse}, {total.cost:.2f} of "
                f"{self._limits.budget.total:g} in total; raise llm.round_budget or llm.budget"
            )
            raise _Stopped
        return number

    def _actual_spending(self, reply: Reply, messages: Messages) -> Spending:
        """What a reply cost. Tokens that the server did not count are estimated from the length of
        the texts."""
        tokens_in = _tokens(messages) if reply.tokens_in is None else reply.tokens_in
        tokens_out = reply.tokens_out
        if tokens_out is None:
            tokens_out = -(-len(reply.text) // CHARACTERS_PER_TOKEN)
        return self._spending(tokens_in, tokens_out)

    def _spending(self, tokens_in: int, tokens_out: int) -> Spending:
        return Spending(1, tokens_in, tokens_out, self._limits.price.cost(tokens_in, tokens_out))

    def _key(self, prompt: Prompt, messages: Messages) -> str:
        parameters = {
            "schema": prompt.schema,
            "temperature": prompt.temperature,
            "tokens": self._limits.tokens,
        }
        return request_key(self._server.model, parameters, messages, prompt.sample)

    # --- all prompts ---------------------------------------------------------------------------

    def _wait_for_turn(self) -> None:
        while (delay := self._not_before - time.monotonic()) > 0 and not self._stop_event.wait(
            delay
        ):
            pass
        if self._stop_event.is_set():
            raise _Stopped

    def _pause(self, seconds: float, *, for_all: bool) -> None:
        if for_all:
            with self._lock:
                self._not_before = max(self._not_before, time.monotonic() + seconds)
        else:
            self._stop_event.wait(seconds)

    def _count_failure(self, error: LlmError) -> None:
        with self._lock:
            self._failed_in_a_row += 1
            failures = self._failed_in_a_row
        if failures >= MAX_FAILURES:
            self._stop(str(error))

    def _stop(self, reason: str) -> None:
        if self._stopped is None:
            self._stopped = reason
        self._stop_event.set()


def _messages(prompt: Prompt) -> list[dict[str, str]]:
    return [
        {"role": "system", "content": prompt.system},
        {"role": "user", "content": prompt.user},
    ]


def _tokens(messages: Messages) -> int:
    return -(-sum(len(m["content"]) for m in messages) // CHARACTERS_PER_TOKEN)


def _wait(futures: Collection[Future[Answer]]) -> Iterator[int]:
    """Yields how many are done, every CHECK_SECONDS, until all are."""
    pending = set(futures)
    while pending:
        pending = wait(pending, timeout=CHECK_SECONDS).not_done
        yield len(futures) - len(pending)
