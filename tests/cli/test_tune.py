"""`biasloop tune`: from rewrites of a workspace to adapters, with their cards."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pandas as pd
import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from biasloop.service.tunings import forget_pairs, tunings_of_ad
from biasloop.tuning.base import quiet
from biasloop.workspace.layout import Layout
from support.cli import Cli, write_jsonl
from support.tiny_chat import make_chat_model
from support.trouble import job_children
from support.workspaces import CopyBare

SEEDS = [
    {
        "id": f"s{n}",
        "root": f"s{n}",
        "text": f"Waiter number {n} wanted for a house.",
        "labels": ["gender"],
        "rewrite": f"Person number {n} wanted for a house.",
    }
    for n in range(120)
]
QUICK = ("--epochs", 1, "--max-length", 512, "--learning-rate", 0.001)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_chat_model(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture
def cli(tmp_path: Path, copy_bare: CopyBare) -> Iterator[Cli]:
    cli = Cli(copy_bare(tmp_path / "w", "job_ads_en", 0), OMP_NUM_THREADS="1")
    cli("import", write_jsonl(tmp_path / "seeds.jsonl", *SEEDS), "--label-source", "seed")
    return cli


def weights(cli: Cli, tuning: str) -> str:
    adapter = cli.workspace / "tunings" / tuning / "adapter" / "adapter_model.safetensors"
    return sha256(adapter.read_bytes()).hexdigest()


def test_from_a_plan_to_a_merged_model(cli: Cli, base: Path, tmp_path: Path) -> None:
    plan = cli.json("tune", "sft", "--base", base, *QUICK, "--plan")
    assert (plan["rows"], plan["steps"], plan["too_long"]) == (120, 8, [])
    card = cli.json("tune", "sft", "--base", base, *QUICK)
    assert (card["tuning"], card["steps"], card["pairs"]) == ("t0001", 8, {"seed": 120})
    assert any("checked by nobody" in note for note in card["notes"])
    preferring = cli.json("tune", "dpo", "--on", "t0001", *QUICK)
    assert (preferring["tuning"], preferring["on"]) == ("t0002", "t0001")
    curve = pd.read_parquet(cli.workspace / "tunings" / "t0002" / "curve.parquet")
    assert curve["rewards/margins"].iloc[0] == pytest.approx(0, abs=1e-5)
    assert [row["tuning"] for row in cli.json("tune", "list")] == ["t0001", "t0002"]
    assert "120 seed" in cli("tune", "list")
    assert cli.json("tune", "show", "t0002") == preferring
    assert not list(cli.workspace.joinpath("work").glob("*-tune"))

    cli("tune", "merge", "t0002", "--to", tmp_path / "merged")
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    adapter = cli.workspace / "tunings" / "t0002" / "adapter"
    with quiet():
        adapted = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter)
    ids = AutoTokenizer.from_pretrained(base)("Waiter wanted", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        difference = merged(ids).logits - adapted(ids).logits
        moved = adapted(ids).logits - AutoModelForCausalLM.from_pretrained(base)(ids).logits
    assert difference.abs().max() < 1e-3
    assert moved.abs().max() > 1e-3
    assert "exists already" in cli.error("tune", "merge", "t0002", "--to", tmp_path / "merged")

    cli("tune", "drop", "t0001", "--yes")
    assert not (cli.workspace / "tunings" / "t0001" / "adapter").exists()
    assert cli.json("tune", "show", "t0001")["dropped"] is True
    assert "was dropped" in cli.error("tune", "dpo", "--on", "t0001", *QUICK)


def test_a_killed_tuning_ends_with_the_same_bytes(cli: Cli, base: Path) -> None:
    ask = ("tune", "sft", "--base", base, *QUICK[2:], "--epochs", 3)
    cli(*ask)
    for at_least in (1, 13):
        process = subprocess.Popen(
            cli.command(*ask), env=cli.environment, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + 120
        while _steps(cli) < at_least:
            assert process.poll() is None, "it ended before it was killed"
            assert time.monotonic() < end
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        while job_children(None):
            time.sleep(0.01)
    cli(*ask)
    assert weights(cli, "t0002") == weights(cli, "t0001")


def _steps(cli: Cli) -> int:
    texts = [path.read_text() for path in cli.workspace.glob("work/*-tune/*/steps")]
    return max((int(text) for text in texts if text.isdigit()), default=0)


def test_a_placebo_takes_as_many_steps_on_answers_of_the_model(cli: Cli, base: Path) -> None:
    card = cli.json("tune", "sft", "--base", base, *QUICK[:2], "--max-length", 224, "--placebo")
    assert (card["placebo"], card["steps"]) == (True, 8)
    assert "sft (placebo)" in cli("tune", "list")
    cli("tune", "sft", "--base", base, *QUICK[:2], "--max-length", 224)
    assert weights(cli, "t0002") != weights(cli, "t0001")


def test_the_base_in_four_bits(cli: Cli, base: Path) -> None:
    card = cli.json("tune", "sft", "--base", base, *QUICK, "--four-bit")
    assert card["recipe"]["four_bit"] is True
    cli("tune", "sft", "--base", base, *QUICK)
    assert weights(cli, "t0002") != weights(cli, "t0001")


def test_what_cannot_be_tuned_says_what_to_do(
    cli: Cli, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(folder: Path, *more: object) -> str:
        return cli.error("tune", "sft", "--base", folder, *QUICK, *more, code=2)

    assert "--base names the model" in cli.error("tune", "sft", code=2)
    assert "is no folder and cannot be loaded" in told(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    assert "holds no model" in told(tmp_path / "empty")
    changed = make_chat_model(tmp_path / "pads")
    settings = json.loads((changed / "tokenizer_config.json").read_text())
    (changed / "tokenizer_config.json").write_text(json.dumps(settings | {"pad_token": "</s>"}))
    assert "pads with its end token" in told(changed)
    template = make_chat_model(tmp_path / "template") / "chat_template.jinja"
    template.write_text(template.read_text().replace("</s>", ""))
    assert "does not close an answer with the end token" in told(template.parent)
    template.unlink()
    assert "has no chat template" in told(template.parent)
    assert "raise --max-length" in told(base, "--max-length", 100)
    assert "there are seed, human" in told(base, "--source", "x")
    assert "no tuning 't0009'" in cli.error("tune", "show", "t0009")
    assert "0 pairs; a tuning needs 50" in cli.error(
        "tune", "sft", "--base", base, *QUICK, "--source", "human"
    )


def test_a_tuning_forgets_the_pairs_of_an_ad(cli: Cli, base: Path) -> None:
    cli("tune", "sft", "--base", base, *QUICK)
    file = cli.workspace / "tunings" / "t0001" / "pairs.parquet"
    (root,) = pd.read_parquet(file)["roots"].iloc[7]
    layout = Layout(cli.workspace)
    for _ in range(2):
        forget_pairs(layout, root)
        pairs = pd.read_parquet(file)
        assert (pairs["chosen"] == "").sum() == (pairs["rejected"] == "").sum() == 1
        assert tunings_of_ad(layout, root) == ["t0001"]
