"""A language model behind any OpenAI-compatible server: many prompts at once, each paid once.

Answers come from the cache where they are known. What is rate-limited, down or slow is asked
again, within a patience; a spent budget or a server that is out of order ends asking, and the
rest comes back as not asked.
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
from biasloop.llm.answers import read_answer, repair
from biasloop.llm.cache import AnswerCache, request_key
from biasloop.llm.retry import next_try
from biasloop.llm.server import (
    CUT,
    DIALECTS,
    Dialect,
    Messages,
    PromptRefused,
    Reply,
    Server,
    Unanswered,
)
from biasloop.ports import Checkpoint, no_checkpoint

IN_A_ROW = 3
"""Prompts that fail one after another before the server counts as out of order."""
CHECK_SECONDS = 0.1

PROBE = Prompt("Answer in one word.", "Is water wet?", object_schema({"wet": {"type": "boolean"}}))
"""Says nothing of JSON: only a server that enforces the schema answers by it."""


class _Stopped(Exception):
    """No further request may be sent."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`concurrency` requests at a time, each tried again for `patience` seconds; an answer has at
    most `tokens` tokens. `budget` is in the currency of `price`."""

    concurrency: int
    patience: float
    tokens: int
    price: Price
    budget: Budget


class LlmClient:
    """See ports.Generator. `purse` names whom the spending is charged to, such as a round."""

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
        self._over = threading.Event()
        self._stopped: str | None = None

    @property
    def stopped(self) -> str | None:
        """In words why it asks no more; None while it does."""
        return self._stopped

    def close(self) -> None:
        """Closes its connections and the cache."""
        self._server.close()
        self._cache.close()

    def spending(self) -> Spending:
        """What this purse was charged so far, in earlier processes as well."""
        return self._cache.spending(self._purse)

    def ask(
        self,
        prompts: Sequence[Prompt],
        *,
        checkpoint: Checkpoint = no_checkpoint,
        progress: Callable[[int], None] = lambda _: None,
    ) -> list[Answer]:
        """The answers, in the order of the prompts; `progress` is told, now and then, how many are
        done with. Raises WorkspaceError for the cache."""
        keys = [self._key(prompt, _messages(prompt)) for prompt in prompts]
        distinct = dict(zip(keys, prompts, strict=True))
        with ThreadPoolExecutor(self._limits.concurrency) as pool:
            asked = {key: pool.submit(self._answer, prompt) for key, prompt in distinct.items()}
            try:
                for done in _wait(asked.values()):
                    progress(done)
                    checkpoint()
            except BaseException:
                self._stop("interrupted")
                raise
        found = {key: future.result() for key, future in asked.items()}
        return [found[key] for key in keys]

    def probe(self) -> Dialect:
        """How this server wants to be asked: found out by asking, once.

        Raises LlmDown when it does not answer, LlmRefused when it refuses every way.
        """
        with self._probing:
            if self._dialect is None:
                self._dialect = self._find_dialect()
            return self._dialect

    def _find_dialect(self) -> Dialect:
        refused: PromptRefused | None = None
        for dialect in DIALECTS:
            try:
                raw = self._send(PROBE, _messages(PROBE), dialect, key=None)
            except PromptRefused as error:
                refused = error
                continue
            except Unanswered as error:
                raise LlmDown(str(error)) from error
            if not dialect.schema or not isinstance(read_answer(raw, PROBE.schema), str):
                return dialect
        if refused is None:
            return DIALECTS[-1]
        raise LlmRefused(str(refused)) from refused

    # --- one prompt ----------------------------------------------------------------------------

    def _answer(self, prompt: Prompt) -> Answer:
        try:
            messages = _messages(prompt)
            raw = self._raw(prompt, messages)
            value = read_answer(raw, prompt.schema)
            if isinstance(value, str) and len(raw) < CUT:
                messages += repair(raw, value, prompt.schema)
                value = read_answer(self._raw(prompt, messages), prompt.schema)
        except _Stopped:
            return Answer(problem=Problem.NOT_ASKED)
        except (Unanswered, PromptRefused) as error:
            self._failed(error)
            return Answer(problem=Problem.NO_ANSWER)
        except LlmError as error:
            self._stop(str(error))
            return Answer(problem=Problem.NOT_ASKED)
        return Answer(problem=Problem.SCHEMA) if isinstance(value, str) else Answer(value)

    def _raw(self, prompt: Prompt, messages: Messages) -> str:
        key = self._key(prompt, messages)
        known = self._cache.answer(key)
        return self._send(prompt, messages, self.probe(), key) if known is None else known

    def _send(self, prompt: Prompt, messages: Messages, dialect: Dialect, key: str | None) -> str:
        """Asks, again and again while that makes sense. Without a key the answer is not kept."""
        began = time.monotonic()
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
                elapsed = time.monotonic() - began
                pause = next_try(
                    attempt,
                    elapsed,
                    self._limits.patience,
                    error.retry_after,
                    random.random(),  # noqa: S311
                )
                if pause is None:
                    raise
                self._pause(pause, for_all=error.busy)
            except LlmRefused:
                self._cache.settle(number, None, Spending())
                raise
            else:
                self._cache.settle(number, reply.text if key else None, self._real(reply, messages))
                self._failed_in_a_row = 0
                return reply.text
        raise AssertionError("count() never ends")

    def _charge(self, key: str, prompt: Prompt, messages: Messages) -> int:
        """Books what this request may cost at most. Raises _Stopped when there is not so much."""
        worst = self._spending(_tokens(messages), self._limits.tokens)
        number = self._cache.begin(key, self._purse, prompt.roots, worst, self._limits.budget)
        if number is None:
            spent = self._cache.spending()
            self._stop(
                f"the budget does not hold another request: {self.spending().cost:.2f} of "
                f"{self._limits.budget.purse:g} spent for {self._purse}, {spent.cost:.2f} of "
                f"{self._limits.budget.total:g} in all (llm.round_budget, llm.budget)"
            )
            raise _Stopped
        return number

    def _real(self, reply: Reply, messages: Messages) -> Spending:
        """What a reply cost; where the server did not count, by the length of the texts."""
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
        while (left := self._not_before - time.monotonic()) > 0 and not self._over.wait(left):
            pass
        if self._over.is_set():
            raise _Stopped

    def _pause(self, seconds: float, *, for_all: bool) -> None:
        if for_all:
            with self._lock:
                self._not_before = max(self._not_before, time.monotonic() + seconds)
        else:
            self._over.wait(seconds)

    def _failed(self, error: LlmError) -> None:
        with self._lock:
            self._failed_in_a_row += 1
            failed = self._failed_in_a_row
        if failed >= IN_A_ROW:
            self._stop(str(error))

    def _stop(self, why: str) -> None:
        if self._stopped is None:
            self._stopped = why
        self._over.set()


def _messages(prompt: Prompt) -> list[dict[str, str]]:
    return [
        {"role": "system", "content": prompt.system},
        {"role": "user", "content": prompt.user},
    ]


def _tokens(messages: Messages) -> int:
    return -(-sum(len(m["content"]) for m in messages) // CHARACTERS_PER_TOKEN)


def _wait(futures: Collection[Future[Answer]]) -> Iterator[int]:
    """How many are done, every CHECK_SECONDS until all are."""
    left = set(futures)
    while left:
        left = wait(left, timeout=CHECK_SECONDS).not_done
        yield len(futures) - len(left)
