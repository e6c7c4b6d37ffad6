"""The list of labels changes during a campaign: what models, votes and seeds of before say now."""

import json
import os
import pty
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from support.cli import Cli, write_jsonl
from support.small import make_campaign

TEXTS = {
    "eta": "massimo 30 anni",
    "genere": "cerchiamo una ragazza",
    "origine": "solo cittadini italiani",
    "niente": "orario serale",
}


def write_labels(folder: Path, labels: Sequence[str], *, multi: bool = True) -> None:
    """The labelling page and the campaign file of a campaign with these labels."""
    make_campaign(folder, *labels, none_label="niente" if multi else None, multi=multi)


def labelled(cli: Cli, labels: Sequence[str], *, multi: bool = True) -> Cli:
    """A workspace whose 80 texts people labelled, with a model that learned from them."""
    campaign = cli.workspace.parent / "campaign_folder"
    write_labels(campaign, labels, multi=multi)
    cli("init", cli.workspace, "--campaign", campaign)
    rows = [
        {"id": str(i), "text": f"{TEXTS[label]} annuncio {i}", "labels": [label]}
        for i in range(80)
        for label in [labels[i % len(labels)]]
    ]
    cli(
        "import", write_jsonl(cli.workspace.parent / "rows.jsonl", *rows), "--label-source", "human"
    )
    cli("train")
    return cli


def classified(cli: Cli, text: str) -> dict[str, Any]:
    verdict: dict[str, Any] = json.loads(cli("classify", text))
    return verdict


def exported(cli: Cli, name: str, *options: str) -> pd.DataFrame:
    folder = cli.workspace.parent / name
    cli("export", "--format", "csv", "--to", folder, *options)
    return pd.read_csv(folder / "items.csv")


FIRST = ("eta", "genere", "origine", "niente")


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path / "workspace")


CHANGED = (
    ("origine", "genere", "eta", "niente"),
    ("niente", "salario", "origine", "genere", "eta"),
    ("genere", "niente", "eta"),
)
"""Reordered, one added, one removed."""


def test_verdicts_go_by_the_names_that_the_model_learned(cli: Cli) -> None:
    """Two <Choice> lines that changed places once gave each label the other one's probability."""
    labelled(cli, FIRST)
    before = {label: classified(cli, TEXTS[label]) for label in FIRST}
    assert [before[label]["flagged"] for label in FIRST[:3]] == [[label] for label in FIRST[:3]]
    for labels in CHANGED:
        write_labels(cli.workspace / "campaign", labels)
        now = set(labels) - {"niente"}
        for label, then in before.items():
            verdict = classified(cli, TEXTS[label])
            assert verdict["flagged"] == [name for name in then["flagged"] if name in now]
            known = {name: p for name, p in verdict["labels"].items() if name != "salario"}
            assert known == {name: p for name, p in then["labels"].items() if name in now}
            assert verdict["labels"].get("salario") is None
        items = exported(cli, "_".join(labels), "--verdicts")
        for label in now - {"salario"}:
            assert (items[items["labels"] == label]["flagged"] == label).all()
            assert (items[items["labels"] == label][f"p_{label}"] > 0.5).all()
        if "salario" in now:
            assert items["p_salario"].isna().all()


def test_a_vote_for_a_class_that_is_gone_is_no_vote_for_the_first_one(cli: Cli) -> None:
    classes = ("eta", "genere", "origine")
    labelled(cli, classes, multi=False)
    write_labels(cli.workspace / "campaign", ("eta", "genere", "provenienza"), multi=False)
    items = exported(cli, "renamed by hand")
    said = pd.read_csv(cli.workspace.parent / "renamed by hand" / "votes.csv")
    said = said.set_index("item_id")["labels"]
    assert (items["labels"] == items["item_id"].map(said)).all()
    assert len(items) == sum(said != "origine")
    learned = cli.json("models", "list")[-1]["card"]["positives"]
    expected = {"eta": learned["eta"], "genere": learned["genere"], "provenienza": 0}
    assert cli.json("train")["card"]["positives"] == expected


def test_a_label_gets_a_new_name_wherever_it_stands(cli: Cli) -> None:
    labelled(cli, FIRST)
    campaign = cli.workspace / "campaign"
    with (campaign / "campaign.toml").open("a") as file:
        file.write("\n[labels]  # what annotators read\n")
        file.write("".join(f'"{label}" = "Di {label}."\n' for label in FIRST))
    before = {use["label"]: use for use in cli.json("labels")}
    assert [before[label]["votes"] for label in FIRST] == [20] * 4
    assert (before["eta"]["models"], before["niente"]["models"]) == (1, 0)

    keyboard, terminal = pty.openpty()
    os.write(keyboard, b"n\n")
    asked = cli.process("labels", "rename", "eta", "età", stdin=terminal, timeout=60)
    os.close(keyboard)
    os.close(terminal)
    assert asked.returncode == 1
    assert "20 votes" in asked.stderr
    assert cli.json("labels") == list(before.values())
    for old, new in (("eta", "genere"), ("salario", "x"), ("eta", " x")):
        assert cli.error("labels", "rename", old, new, "--yes", code=2)

    assert cli.json("labels", "rename", "eta", "età", "--yes")["changed"] == 20
    assert cli.json("labels", "rename", "niente", "nulla", "--yes")["changed"] == 20
    after = {use["label"]: use for use in cli.json("labels")}
    new_names = {"eta": "età", "niente": "nulla"}
    assert after == {
        new_names.get(label, label): use | {"label": new_names.get(label, label)}
        for label, use in before.items()
    }
    assert 'value="età"' in (campaign / "label_config.xml").read_text("utf-8")
    assert "# what annotators read" in (campaign / "campaign.toml").read_text("utf-8")
    verdict = classified(cli, TEXTS["eta"])
    assert verdict["flagged"] == ["età"]
    assert verdict["sentences"][0]["evidence"][0]["label"] == "età"
    items = exported(cli, "after", "--verdicts")
    assert (items[items["labels"] == "età"]["flagged"] == "età").all()
    assert set(items["labels"].dropna()) == {"età", "genere", "origine", "nulla"}
    votes = pd.read_csv(cli.workspace.parent / "after" / "votes.csv")
    assert set(votes["labels"]) == {"età", "genere", "origine", "nulla"}

    assert "was, the name of another label" in cli.error(
        "labels", "rename", "genere", "eta", "--yes", code=2
    )
    cli("labels", "rename", "età", "eta", "--yes")  # and back
    assert classified(cli, TEXTS["eta"])["flagged"] == ["eta"]
    again = {use["label"]: use for use in cli.json("labels")}
    assert again["eta"] == before["eta"]


def test_seeds_under_a_former_name_are_read_under_the_present_one(cli: Cli) -> None:
    labelled(cli, FIRST)
    cli("labels", "rename", "eta", "età", "--yes")
    row = {"text": "dai 20 anni", "labels": ["eta"]}
    more = write_jsonl(cli.workspace.parent / "more.jsonl", row)
    cli("import", more, "--label-source", "human")
    uses = {use["label"]: use for use in cli.json("labels")}
    assert uses["età"]["votes"] == 21
    assert "eta" not in uses
