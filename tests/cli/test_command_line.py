"""The command line itself: where --workspace stands, help, --version, completion."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from biasloop import __version__
from biasloop.cli.main import app
from biasloop.domain.label import LabelSource
from support.cli import PROGRAM, Cli

NO_WORKSPACE = {"init", "demo", "simulate", "validate"}
"""Commands that work on no workspace, or on one that they make."""


def commands(command: Any, *names: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command below this one and itself, with the words that call it."""
    yield names, command
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, *names, name)


COMMANDS = dict(commands(get_command(app)))


def run(*arguments: object, **environment: str) -> Result:
    """`biasloop` with these arguments and no other settings than these, in this process."""
    others = dict.fromkeys(name for name in os.environ if name.startswith("BIASLOOP_"))
    return CliRunner().invoke(
        app,
        [str(argument) for argument in arguments],
        env=others | {"COLUMNS": "100"} | environment,
        prog_name="biasloop",
    )


def process(*command: str | Path, **environment: str) -> str:
    """What the command prints, in a process of its own. It must end well, and quietly."""
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, encoding="utf-8", check=True
    )
    assert done.stderr == ""
    return done.stdout


def complete(line: str) -> list[str]:
    """What bash offers after this line."""
    words = f"biasloop {line}"
    done = run(
        _BIASLOOP_COMPLETE="complete_bash",
        COMP_WORDS=words,
        COMP_CWORD=str(len(f"{words}|".split()) - 1),
    )
    assert done.exit_code == 0, done.output
    return done.stdout.split()


def test_the_walk_sees_every_command() -> None:
    assert len(COMMANDS) > 30
    assert ("policy", "comment") in COMMANDS


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_every_option_and_argument_has_a_short_help(names: tuple[str, ...]) -> None:
    short = COMMANDS[names].get_short_help_str(64)  # what a list of commands has room for
    assert short
    assert not names or not short.endswith("...")
    for parameter in COMMANDS[names].params:
        assert parameter.help, f"{parameter.name} has no help"
        assert len(parameter.help) < 150, f"{parameter.name} has a long help"


@pytest.mark.parametrize(
    ("option", "values"), [("--label-source", list(LabelSource)), ("--unit", ["sentence", "text"])]
)
def test_import_offers_the_values_that_it_accepts_and_no_others(
    tmp_path: Path, option: str, values: list[str]
) -> None:
    """It offered constructed and llm, which it refuses."""
    offered = re.search(rf"{option} <([^>]*)>", run("import", "--help").output)
    assert offered is not None
    for value in (*values, "unheard-of"):
        done = run("import", "ads.jsonl", option, value, "-w", tmp_path)
        accepted = "is not a workspace" in str(done.exception)
        assert accepted == (value in offered[1].split("|"))
        assert accepted or f"{option} must be" in str(done.exception)


@pytest.mark.parametrize("names", [("simulate",), ("demo",), ("annotator", "positions")])
def test_help_says_that_any_kind_of_file_is_read(names: tuple[str, ...]) -> None:
    """They read what `import` reads (docs/data.md), but named one kind only."""
    assert "of any kind" in " ".join(run(*names, "--help").output.split())


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_every_command_takes_its_workspace_after_it(names: tuple[str, ...]) -> None:
    options = {option for parameter in COMMANDS[names].params for option in parameter.opts}
    assert ({"-w", "--workspace"} <= options) is (not NO_WORKSPACE.intersection(names))


@pytest.mark.parametrize(
    "arguments",
    [
        ("-w", "HERE", "models", "list"),
        ("models", "-w", "HERE", "list"),
        ("models", "list", "-w", "HERE"),
        ("models", "list", "--workspace=HERE", "--json"),
        ("-w", "elsewhere", "models", "list", "-w", "HERE"),
        ("-w", "HERE", "policy"),
        ("policy", "-w", "HERE"),
    ],
    ids=" ".join,
)
def test_the_workspace_stands_anywhere(made: Path, arguments: tuple[str, ...]) -> None:
    done = run(*(argument.replace("HERE", str(made)) for argument in arguments))
    assert done.exit_code == 0, done.exception


def test_an_option_wins_over_the_environment(made: Path, tmp_path: Path) -> None:
    assert run("models", "list", BIASLOOP_WORKSPACE=str(made)).exit_code == 0
    elsewhere = {"BIASLOOP_WORKSPACE": str(tmp_path)}
    assert str(tmp_path) in str(run("models", "list", **elsewhere).exception)
    assert run("models", "list", "-w", made, **elsewhere).exit_code == 0
    assert run("-w", made, "models", "list", **elsewhere).exit_code == 0


def test_no_option_outlives_its_command_line(made: Path, tmp_path: Path) -> None:
    assert run("-w", made, "models", "list").exit_code == 0
    assert str(tmp_path) in str(run("models", "list", "-w", tmp_path).exception)
    assert "is not a workspace" in str(run("models", "list").exception)


def test_alone_it_shows_its_help() -> None:
    alone = process(PROGRAM)
    assert alone == process(PROGRAM, "--help")
    assert "\n  status " in alone


def test_the_version() -> None:
    assert process(PROGRAM, "--version") == f"{__version__}\n"


def test_an_unknown_campaign_is_answered_with_the_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for unknown in ("annunci", str(tmp_path / "empty")):
        told = Cli(tmp_path / "w").error("init", tmp_path / "w", "--campaign", unknown, code=2)
        assert "job_ads_en, job_ads_it" in told
        assert unknown in told


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("mod", ["models"]),
        ("models ", ["list", "promote", "rollback"]),
        ("trip --work", ["--workspace"]),
        ("init new --campaign ", ["job_ads_en", "job_ads_it"]),
        ("export --format c", ["csv"]),
        ("import ads.jsonl --label-source ", ["seed", "human", "gold"]),
        ("import ads.jsonl --unit s", ["sentence"]),
        ("simulate --strategies rando", ["random"]),
        ("simulate --strategies auto,rando", ["auto,random"]),
        ("simulate --classifier tf", ["tfidf"]),
        ("simulate --metric ", ["accuracy", "macro_f1"]),
        ("validate --campaign nothing", []),
    ],
)
def test_the_shell_completes(line: str, offered: list[str]) -> None:
    assert complete(line) == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_installed_by_a_script(shell: str) -> None:
    done = run(_BIASLOOP_COMPLETE=f"source_{shell}")
    assert done.exit_code == 0, done.output
    assert f"complete_{shell}" in done.stdout
    assert {"install_completion", "show_completion"} <= {p.name for p in COMMANDS[()].params}


def test_bash_itself_completes() -> None:
    """With the script that bash sources."""
    script = process(PROGRAM, _BIASLOOP_COMPLETE="source_bash")
    ask = f"COMP_WORDS=({PROGRAM} expo); COMP_CWORD=1; _biasloop_completion {PROGRAM}"
    answer = process("bash", "-c", f'{script}\n{ask}; echo "${{COMPREPLY[@]}}"')
    assert answer.strip() == "export"
