"""Tests of the client with a scripted server that speaks the real protocol and misbehaves."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from biasloop.domain.writing.prompt import (
    Answer,
    Budget,
    Price,
    Problem,
    Prompt,
    Spending,
    object_schema,
)
from biasloop.errors import LlmDown, LlmRefused
from biasloop.llm.cache import AnswerCache
from biasloop.llm.client import Limits, LlmClient
from biasloop.llm.server import DIALECTS, MAX_BYTES, Server
from support.llm_server import Asked, LlmServer, Reply, Script, is_probe, structured

SCHEMA = object_schema({"text": {"type": "string"}})
PRICE = Price(1_000_000.0, 1_000_000.0)
"""One unit of money per token, so that costs are easy to check."""


def prompts(n: int) -> list[Prompt]:
    return [Prompt("Repeat.", f"text {i}", SCHEMA) for i in range(n)]


def echo(asked: Asked) -> dict[str, str]:
    return {"text": asked["messages"][1]["content"].upper()}


def echoes(n: int) -> list[Answer]:
    return [Answer({"text": f"TEXT {i}"}) for i in range(n)]


class Stage:
    """A server, a cache, and clients between them."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.server = stack.enter_context(LlmServer(structured(echo)).listening())
        self.cache = AnswerCache(folder / "llm.db")
        stack.callback(self.cache.close)
        self._stack = stack

    def client(
        self, *, purse: str = "round 0", timeout: float = 5.0, url: str = "", **limits: Any
    ) -> LlmClient:
        server = Server(url or self.server.url, "a-model", "secret", timeout)
        self._stack.callback(server.close)
        limits = {"concurrency": 4, "patience": 5.0, "tokens": 50} | limits
        limits = {"price": PRICE, "budget": Budget()} | limits
        return LlmClient(server, Limits(**limits), self.cache, purse)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(tmp_path, stack)


def first(n: int, script: Script, then: Script | None = None) -> Script:
    """The first n requests that are not probes go to `script`, all others to `then`."""
    remaining = iter(range(n))
    lock = threading.Lock()
    after = then or structured(echo)

    def reply(asked: Asked) -> Reply:
        if is_probe(asked):
            return after(asked)
        with lock:
            early = next(remaining, None) is not None
        return (script if early else after)(asked)

    return reply


# --- a good server --------------------------------------------------------------------------------


def test_answers_come_in_the_order_of_the_prompts(stage: Stage) -> None:
    client = stage.client()
    assert client.ask(prompts(20)) == echoes(20)
    assert client.stopped is None
    assert stage.server.most_at_once <= 4


def test_requests_follow_the_protocol(stage: Stage) -> None:
    stage.client().ask([Prompt("Do.", "this", SCHEMA, temperature=0.7)])
    asked = stage.server.asked[-1]
    assert asked["model"] == "a-model"
    assert [m["role"] for m in asked["messages"]] == ["system", "user"]
    assert (asked["temperature"], asked["max_tokens"]) == (0.7, 50)
    assert asked["response_format"]["json_schema"]["schema"] == SCHEMA


def test_no_prompt_is_asked_twice(stage: Stage) -> None:
    assert stage.client().ask(prompts(5) * 2) == echoes(5) * 2
    assert stage.client().ask(prompts(6)) == echoes(6)  # another process, later
    assert sorted(stage.server.prompts) == [f"text {i}" for i in range(6)]


def test_another_sample_or_temperature_is_another_request(stage: Stage) -> None:
    one = prompts(1)[0]
    other = [
        Prompt(one.system, one.user, SCHEMA, sample=1),
        Prompt(one.system, one.user, SCHEMA, 1),
    ]
    stage.client().ask([one, *other])
    assert len(stage.server.prompts) == 3


def test_tokens_and_cost_are_counted_by_purse(stage: Stage) -> None:
    stage.client(purse="round 1").ask(prompts(2))
    client = stage.client(purse="round 2")
    client.ask(prompts(3))
    spent = client.spending()
    assert spent.requests == 2  # a probe and the one prompt that was new
    # "Answer in one word. Is water wet?" and {"wet": true}; "Repeat. text 2" and {"text": "TEXT 2"}
    assert spent == Spending(2, 7 + 3, 2 + 3, 15.0)
    assert stage.cache.spending().requests == 5


def test_forgetting_a_root_drops_the_answers_and_keeps_the_cost(stage: Stage) -> None:
    prompt = Prompt("Repeat.", "from the ad", SCHEMA, roots=("ad-1", "ad-2"))
    stage.client().ask([prompt, *prompts(1)])
    before = stage.cache.spending()
    assert stage.cache.forget("ad-2") == 1
    assert stage.cache.forget("ad-2") == 0
    assert stage.cache.spending() == before
    content = b"".join(path.read_bytes() for path in stage.cache._path.parent.glob("llm.db*"))
    assert b"FROM THE AD" not in content
    assert b"TEXT 0" in content
    stage.client().ask([prompt])
    assert stage.server.prompts.count("from the ad") == 2


# --- dialects -------------------------------------------------------------------------------------


def test_a_server_without_structured_output_is_parsed(stage: Stage) -> None:
    def plain(asked: Asked) -> Reply:
        if is_probe(asked):
            return Reply("Yes.")
        assert "response_format" not in asked
        return Reply(f"<think>{{hm}}</think> Sure!\n```json\n{json.dumps(echo(asked))}\n```")

    stage.server.script = plain
    assert stage.client().ask(prompts(3)) == echoes(3)


def test_a_server_that_knows_no_schema_is_asked_without(stage: Stage) -> None:
    def old(asked: Asked) -> Reply:
        if "response_format" in asked:
            return Reply(status=400, body=b'{"error": {"message": "what is response_format?"}}')
        return Reply(json.dumps(echo(asked)))

    stage.server.script = old
    client = stage.client()
    assert client.ask(prompts(3)) == echoes(3)
    assert client.probe() == DIALECTS[2]


def test_a_model_that_takes_no_temperature_is_asked_without(stage: Stage) -> None:
    def reasoning(asked: Asked) -> Reply:
        if {"max_tokens", "temperature"} & set(asked):
            return Reply(status=400, body=b'{"error": {"message": "unsupported parameter"}}')
        return structured(echo)(asked)

    stage.server.script = reasoning
    assert stage.client().ask(prompts(2)) == echoes(2)
    assert stage.server.asked[-1]["max_completion_tokens"] == 50


# --- bad answers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad", ["", "I cannot do that.", '{"text": "half', '{"texts": "x"}', '{"text": 3}', "[" * 5000]
)
def test_a_bad_answer_is_repaired_once(stage: Stage, bad: str) -> None:
    stage.server.script = first(1, lambda _: Reply(bad))
    assert stage.client().ask(prompts(1)) == echoes(1)
    again = stage.server.asked[-1]["messages"]
    assert [m["role"] for m in again] == ["system", "user", "assistant", "user"]
    assert again[2]["content"] == bad[:2000]


@pytest.mark.parametrize("body", [b"<html>Log in</html>", b"\xff\xfe", b'{"choices": []}', b"[1]"])
def test_what_no_model_wrote_is_named_and_never_kept(stage: Stage, body: bytes) -> None:
    stage.server.script = lambda a: Reply('{"wet": true}') if is_probe(a) else Reply(body=body)
    client = stage.client(concurrency=1)
    answers = client.ask(prompts(5))
    assert [a.problem for a in answers] == [Problem.NO_ANSWER] * 3 + [Problem.NOT_ASKED] * 2
    assert client.stopped is not None
    assert "answered 200, but no model wrote that" in client.stopped
    assert client.spending().requests == 4  # the server may have charged for them
    stage.server.script = structured(echo)
    assert stage.client().ask(prompts(5)) == echoes(5)


@given(st.text(max_size=60) | st.recursive(st.none() | st.text(), st.lists, max_leaves=5).map(str))
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_an_answer_that_cannot_be_used_is_never_kept(stage: Stage, unusable: str) -> None:
    one = [Prompt("Repeat.", f"a text {uuid4()}", SCHEMA)]
    stage.server.script = lambda a: Reply('{"wet": true}') if is_probe(a) else Reply(unusable)
    assert stage.client().ask(one) == [Answer(problem=Problem.SCHEMA)]
    stage.server.script = structured(lambda _: {"text": "good"})
    assert stage.client().ask(one) == [Answer({"text": "good"})]


def test_three_megabytes_are_not_read_and_not_kept(stage: Stage) -> None:
    long = json.dumps({"text": "a" * 3_000_000})
    stage.server.script = first(1, lambda _: Reply(long))
    client = stage.client(concurrency=1)
    assert client.ask(prompts(2)) == [Answer(problem=Problem.NO_ANSWER), echoes(2)[1]]
    assert client.ask(prompts(1)) == echoes(1)


def test_what_the_model_wrote_too_long_is_not_repaired(stage: Stage) -> None:
    stage.server.script = first(1, lambda _: Reply(json.dumps({"text": "a" * 200_000})))
    assert stage.client().ask(prompts(1)) == [Answer(problem=Problem.SCHEMA)]
    assert len(stage.server.prompts) == 1


def drip(piece: bytes, pause: float) -> Callable[[Any], None]:
    def send(handler: Any) -> None:
        while True:
            handler.wfile.write(piece)
            time.sleep(pause)

    return send


def test_an_endless_stream_ends(stage: Stage) -> None:
    fast = Reply(send=drip(b" " * 65536, 0))
    stage.server.script = first(1, lambda _: fast)
    assert stage.client().ask(prompts(1)) == [Answer(problem=Problem.NO_ANSWER)]
    assert MAX_BYTES < 3_000_000


@pytest.mark.parametrize("pause", [0.02, 60])
def test_a_slow_or_hanging_answer_is_given_up_and_asked_again(stage: Stage, pause: float) -> None:
    stage.server.script = first(1, lambda _: Reply(send=drip(b" ", pause)))
    client = stage.client(timeout=0.3)
    assert client.ask(prompts(1)) == echoes(1)
    assert len(stage.server.prompts) == 2
    worst = 5 + 50  # of the attempt that was given up: the prompt's characters by 3, and an answer
    assert client.spending().cost == worst + (7 + 2) + (3 + 3)


# --- bad servers ----------------------------------------------------------------------------------


def busy(**headers: str) -> Script:
    body = b'{"error": {"message": "slow down"}}'
    return lambda _: Reply(status=429, body=body, headers=headers)


def test_a_storm_of_429_passes(stage: Stage) -> None:
    stage.server.script = first(30, busy(**{"Retry-After": "0.05"}))
    client = stage.client(concurrency=8)
    assert client.ask(prompts(20)) == echoes(20)
    assert len(stage.server.prompts) == 50
    assert client.spending().requests == 21  # refused requests cost nothing


@pytest.mark.parametrize("status", [408, 500, 502, 503, 529])
def test_a_server_error_passes(stage: Stage, status: int) -> None:
    stage.server.script = first(2, lambda _: Reply(status=status, body=b"oops"))
    assert stage.client(concurrency=2).ask(prompts(4)) == echoes(4)


def test_a_storm_without_end_ends_asking(stage: Stage) -> None:
    stage.server.script = first(1000, busy())
    client = stage.client(concurrency=2, patience=0.6)
    answers = client.ask(prompts(30))
    assert {a.problem for a in answers} == {Problem.NO_ANSWER, Problem.NOT_ASKED}
    assert client.stopped is not None
    assert "answered 429: " in client.stopped
    assert "lower llm.concurrency" in client.stopped
    assert client.spending().requests == 1


def test_a_dead_server_ends_asking(stage: Stage) -> None:
    client = stage.client(url="http://127.0.0.1:9/v1", patience=0.5)
    assert {a.problem for a in client.ask(prompts(5))} == {Problem.NOT_ASKED}
    assert client.stopped is not None
    assert "http://127.0.0.1:9/v1 cannot be reached" in client.stopped
    assert client.spending() == Spending()
    with pytest.raises(LlmDown, match="cannot be reached"):
        stage.client(url="http://127.0.0.1:9/v1", patience=0.1).probe()


def test_a_server_that_dies_midway_keeps_what_it_answered(stage: Stage) -> None:
    def hang_up(_: Asked) -> Reply:
        raise ConnectionAbortedError

    stage.server.script = first(3, structured(echo), first(10_000, hang_up))
    stage.server._server.handle_error = lambda *_: None  # type: ignore[method-assign]
    client = stage.client(concurrency=1, patience=0.2)
    answers = client.ask(prompts(10))
    assert answers[:3] == echoes(3)
    assert [a.problem for a in answers[3:]] == [Problem.NO_ANSWER] * 3 + [Problem.NOT_ASKED] * 4
    assert client.stopped is not None
    stage.server.script = structured(echo)
    assert stage.client().ask(prompts(10)) == echoes(10)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_wrong_key_or_model_ends_asking_at_once(stage: Stage, status: int) -> None:
    body = b'{"error": {"message": "no such key: secret-look-alike"}}'
    stage.server.script = lambda _: Reply(status=status, body=body)
    client = stage.client()
    assert {a.problem for a in client.ask(prompts(9))} == {Problem.NOT_ASKED}
    assert client.stopped is not None
    assert "check llm.base_url, llm.model and LLM_API_KEY" in client.stopped
    assert len(stage.server.asked) == 1


def test_one_refused_prompt_does_not_end_the_others(stage: Stage) -> None:
    def picky(asked: Asked) -> Reply:
        if asked["messages"][1]["content"] == "text 1":
            return Reply(status=400, body=b'{"error": {"message": "context too long"}}')
        return structured(echo)(asked)

    stage.server.script = picky
    answers = stage.client(concurrency=1).ask(prompts(3))
    assert answers == [echoes(3)[0], Answer(problem=Problem.NO_ANSWER), echoes(3)[2]]


def test_a_server_that_refuses_everything_is_reported(stage: Stage) -> None:
    stage.server.script = lambda _: Reply(status=422, body=b'{"error": {"message": "never"}}')
    with pytest.raises(LlmRefused, match=r"answered 422: .*never"):
        stage.client().probe()


# --- budgets --------------------------------------------------------------------------------------


def test_a_budget_is_never_exceeded(stage: Stage) -> None:
    budget = Budget(purse=150.0)
    client = stage.client(budget=budget, concurrency=8)
    answers = client.ask(prompts(100))
    assert 0 < sum(a.value is not None for a in answers) < 100
    assert {a.problem for a in answers} == {None, Problem.NOT_ASKED}
    assert client.stopped is not None
    assert "of 150 spent for round 0" in client.stopped
    assert client.spending().cost <= 150
    later = stage.client(budget=budget, purse="round 1")
    assert later.ask(prompts(1)) == echoes(1)


def test_the_total_budget_limits_every_purse(stage: Stage) -> None:
    budget = Budget(total=70.0)
    stage.client(budget=budget).ask(prompts(1))
    client = stage.client(budget=budget, purse="round 1")
    client.ask(prompts(9))
    assert client.stopped is not None
    assert stage.cache.spending().cost <= 70


def test_a_checkpoint_that_raises_ends_asking(stage: Stage) -> None:
    def checkpoint() -> None:
        raise InterruptedError

    def slow(asked: Asked) -> dict[str, str]:
        time.sleep(0.05)
        return echo(asked)

    stage.server.script = structured(slow)
    with pytest.raises(InterruptedError):
        stage.client(concurrency=1).ask(prompts(100), checkpoint=checkpoint)
    assert len(stage.server.prompts) < 20
