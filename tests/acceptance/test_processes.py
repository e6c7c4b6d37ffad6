"""Every command in a process of its own, as people call it: it ends well and quietly, or with one
line. Most other tests call commands in the process of the test, and look at what they print."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from biasloop.cli.main import app
from support.cli import REPOSITORY, Cli, one_line, write_jsonl
from support.workspaces import AD, ADS

ENDS = {
    "status": 0,
    "import ADS": 0,
    "imports": 0,
    "imports undo nothing": 1,
    "trip nothing": 1,
    "doctor": 0,
    "annotators": 0,
    "annotator add anna@example.org": 0,
    "annotator list": 0,
    "annotator link anna@example.org": 0,
    "annotator revoke anna@example.org": 0,
    "annotator remove anna@example.org": 0,
    "annotator positions ADS": 1,
    "annotator withdraw anna@example.org": 1,
    "tick": 1,
    "reconcile": 1,
    "serve": 2,
    "labels": 0,
    "labels rename nothing new": 2,
    "pause": 0,
    "resume": 0,
    "cancel 7": 1,
    "models list": 0,
    "models promote nothing": 1,
    "models rollback": 1,
    "classify Ciao.": 0,
    "expand --plan": 0,
    "policy": 0,
    "policy keep": 1,
    "policy re-ask": 1,
    "policy set-aside": 1,
    "policy try ADS": 2,
    "policy trial": 1,
    "policy comment trial 1 text": 1,
    "policy adopt nothing": 2,
    "validate SEEDS": 0,
    "simulate --pool ADS --test ADS --out NEW": 1,
    "export --format csv --to NEW": 0,
    "backup NEW": 0,
    "items --disputed": 0,
    "adjudicate nothing --reason because": 1,
    "prevalence": 0,
    "autolabel": 0,
    "llm use http://127.0.0.1:9/v1 model": 1,
    "tune sft": 2,
    "tune dpo": 2,
    "tune list": 0,
    "tune show t0001": 1,
    "tune drop t0001": 1,
    "tune merge t0001 --to NEW": 1,
    "takedown AD": 0,
}
"""Command lines, and the exit code of each in a workspace without a Label Studio."""

ELSEWHERE = {"init", "train", "up", "demo"}
"""Commands that tests next to this one run in processes: each workspace of theirs is made so."""


@pytest.fixture(scope="module")
def cli(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """The command line on a workspace that these tests share."""
    folder = tmp_path_factory.mktemp("processes") / "workspace"
    return Cli(Path(shutil.copytree(trained, folder)))


def leaves(command: Any, *names: str) -> Iterator[str]:
    """Every command that does something of its own, by the words that call it."""
    below = getattr(command, "commands", {})
    if names and (not below or command.invoke_without_command):
        yield " ".join(names)
    for name, inner in below.items():
        yield from leaves(inner, *names, name)


def test_every_command_is_run() -> None:
    commands = set(leaves(get_command(app)))
    run = {max((c for c in commands if f"{line} ".startswith(f"{c} ")), key=len) for line in ENDS}
    assert run | ELSEWHERE == commands
    assert not run & ELSEWHERE


@pytest.mark.parametrize("line", ENDS)
def test_it_ends_as_it_should(cli: Cli, tmp_path: Path, line: str) -> None:
    places = {
        "AD": AD["id"],
        "ADS": write_jsonl(tmp_path / "ads.jsonl", *ADS),
        "NEW": tmp_path / "new",
        "SEEDS": REPOSITORY / "seeds" / "job_ads_it",
    }
    done = cli.process(*(places.get(word, word) for word in line.split()))
    if ENDS[line] == 0:
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        assert done.stdout
    else:
        one_line(done, ENDS[line])
