"""`biasloop demo`: the loop on an embedded Label Studio, labelled by simulated people."""

import json
from pathlib import Path

import pytest

from support.cli import Cli, write_jsonl

BATCH = 6


@pytest.mark.labelstudio  # the command starts one itself
def test_two_rounds_leave_a_workspace_to_look_at(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "demo", BIASLOOP_STOPPING__MODE="off")
    signs = {"gender": "un addetto", "age": "personale sotto i 30 anni", "inclusive": "personale"}
    rows = [
        {"text": f"Cerchiamo {sign} per la sede {n}.", "labels": [label]}
        for n in range(20)
        for label, sign in signs.items()
    ]
    data = ("--data", write_jsonl(tmp_path / "labelled.jsonl", *rows))
    done = cli.process("demo", cli.workspace, "--rounds", 2, "--batch", BATCH, *data, "--json")
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout)
    assert first["labels"] < second["labels"] <= 2 * BATCH
    for found in (first, second):
        assert sum(int(arm.split("=")[1]) for arm in found["arms"].split()) == BATCH
    status = cli.json("status")
    assert status["model_in_service"] == second["model"]
    assert status["labels"]["human"] == 2 * BATCH
    assert {found["state"] for found in status["rounds"]} == {"closed"}
    assert "workspace already" in cli.error("demo", cli.workspace)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"text": "Cerchiamo un cuoco"}', "line 1: not {"),
        ('{"text": ["5"], "labels": ["gender"]}', "line 1: not {"),
        ('{"text": 5, "labels": ["gender"]}', "have 1"),  # a number is a text, as in an import
        ('{"text": "Cerchiamo un cuoco", "label": "sesso"}', "line 1: a label outside the scheme"),
        ('{"text": "Cerchiamo un cuoco", "label": "gender"}', "have 1"),
        ("", "have 0"),
    ],
)
def test_data_that_will_not_do_makes_nothing(tmp_path: Path, line: str, said: str) -> None:
    cli = Cli(tmp_path / "demo")
    data = tmp_path / "labelled.jsonl"
    data.write_text(line)
    told = cli.error("demo", cli.workspace, "--data", data)
    assert said in told
    assert str(data) in told
    assert not cli.workspace.exists()
