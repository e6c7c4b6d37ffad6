"""`biasloop llm use`: a language model is set once it has answered."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.cli import Cli
from support.llm_server import Asked, LlmServer, Reply
from support.workspaces import CopyBare


def answers(asked: Asked) -> Reply:
    return Reply('{"wet": true}')


@pytest.fixture
def cli(tmp_path: Path, copy_bare: CopyBare) -> Cli:
    return Cli(copy_bare(tmp_path / "w", "job_ads_en", 0))


@pytest.fixture
def server() -> Iterator[LlmServer]:
    with LlmServer(answers).listening() as server:
        yield server


def settings(cli: Cli) -> dict[str, Any]:
    return tomllib.loads((cli.workspace / "biasloop.toml").read_text("utf-8"))


def test_it_is_set_after_one_request_and_the_file_stays_as_it_was(
    cli: Cli, server: LlmServer
) -> None:
    file = cli.workspace / "biasloop.toml"
    before = file.read_text("utf-8")
    assert cli.json("status")["expanders"] == ["counterfactual"]
    assert "by rewriting only; `biasloop llm use URL MODEL`" in cli("status")
    used = cli.json("llm", "use", server.url, "tiny")
    assert used["expanders"] == ["counterfactual", "llm"]
    assert len(server.asked) == 1
    assert settings(cli)["llm"] == {"base_url": server.url, "model": "tiny"}
    assert settings(cli)["expander"]["names"] == ["counterfactual", "llm"]
    assert set(before.splitlines()) < set(file.read_text("utf-8").splitlines())
    assert "by rewriting only" not in cli("status")
    cli("llm", "use", server.url, "other")
    assert settings(cli)["expander"]["names"] == ["counterfactual", "llm"]
    assert settings(cli)["llm"]["model"] == "other"


def test_nothing_is_written_if_it_does_not_answer(cli: Cli, server: LlmServer) -> None:
    before = (cli.workspace / "biasloop.toml").read_bytes()
    server.script = lambda asked: Reply(status=401)
    assert "401" in cli.error("llm", "use", server.url, "tiny")
    assert "base_url: " in cli.error("llm", "use", "no address", "tiny", code=2)
    cli.environment["BIASLOOP_LLM__MODEL"] = "mine"
    server.script = answers
    told = cli.error("llm", "use", server.url, "tiny", code=2)
    assert "BIASLOOP_LLM__MODEL in the environment overrides biasloop.toml" in told
    assert (cli.workspace / "biasloop.toml").read_bytes() == before
