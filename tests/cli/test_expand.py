"""`biasloop expand`, `status` and `doctor` with a language model, as people call them."""

import json
import shutil
from pathlib import Path

import pytest

from support.cli import Cli
from support.llm_server import LlmServer
from support.llm_workspaces import point_to


@pytest.fixture
def cli(sown: Path, tmp_path: Path, model: LlmServer) -> Cli:
    folder = Path(shutil.copytree(sown, tmp_path / "workspace"))
    return Cli(point_to(folder, model.url, texts=8, price_in=1.0, price_out=4.0))


def test_a_plan_costs_nothing_and_an_expansion_what_it_says(cli: Cli, model: LlmServer) -> None:
    plan = cli.json("expand", "--plan")["llm"]
    assert sum(cell["texts"] for cell in plan["cells"]) == 8
    assert {cell["label"] for cell in plan["cells"]} <= {"gender", "age"}
    assert "8 texts in" in cli("expand", "--plan")
    assert model.asked == []
    found = cli.json("expand")
    spent = found["synthesis"]["llm"]["spending"]
    assert found["expanded"]["llm"] == found["synthesis"]["llm"]["made"] > 0
    per_million = spent["tokens_in"] + 4 * spent["tokens_out"]
    assert spent["cost"] == pytest.approx(per_million / 1e6)
    assert spent["cost"] < plan["estimate"]["cost_at_most"]
    assert spent["requests"] <= plan["estimate"]["requests"] + 1  # and the probe
    assert found["expanded"]["llm"] == cli.json("status")["labels"]["llm"]


def test_training_asks_no_model(cli: Cli, model: LlmServer) -> None:
    trained = cli.json("train")
    assert set(trained["expanded"]) == {"counterfactual"}
    assert model.asked == []


def test_doctor_tries_the_model(cli: Cli, model: LlmServer) -> None:
    def check() -> str:
        checks = json.loads(cli.run("doctor", "--json").stdout)
        (found,) = [c for c in checks if c["what"] == "language model"]
        return f"{found['ok']} {found['found']}"

    assert check() == f"True {model.url}, scripted, answers by JSON schema"
    point_to(cli.workspace, "http://127.0.0.1:9/v1", patience_seconds=0.2)
    assert check().startswith("False http://127.0.0.1:9/v1 cannot be reached")
    point_to(cli.workspace, "")
    assert "llm.base_url and llm.model" in check()
