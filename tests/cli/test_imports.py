"""A user lists the imports and takes one back."""

import json
from pathlib import Path

import pytest

from support.cli import Cli, write_jsonl
from support.small import make_campaign
from support.workspaces import ADS


@pytest.fixture
def mistake(cli: Cli, tmp_path: Path) -> str:
    """The id of an import of wrong texts."""
    rows = ({"id": f"new-{n}", "text": f"Testo sbagliato {n}."} for n in range(3))
    labelled = {"id": "s", "text": "Cercasi aiuto.", "labels": ["inclusive"]}
    path = write_jsonl(tmp_path / "wrong.jsonl", *rows, labelled)
    (report,) = cli.json("import", path).values()
    return str(report["import_id"])


def test_imports_are_listed(cli: Cli, mistake: str) -> None:
    rows = cli.json("imports")
    assert [Path(row["file"]).name for row in rows][-2:] == ["ads.jsonl", "wrong.jsonl"]
    assert (rows[-1]["import"], rows[-1]["items"]) == (mistake, 4)
    assert rows[-2]["items"] == 4 + len(ADS) - 1
    assert f"{mistake} " in Cli(cli.workspace, COLUMNS="40")("imports")  # whole, to copy


def test_without_imports_the_next_step_is_said(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "workspace")
    cli("init", cli.workspace, "--campaign", make_campaign(tmp_path / "c", "a", "b", multi=False))
    assert "no imports yet; `biasloop import FILE`" in cli("imports")
    assert cli.json("imports") == []


def test_an_import_is_taken_back(cli: Cli, mistake: str, tmp_path: Path) -> None:
    before = cli.json("status")
    would = cli("imports", "undo", "--dry-run")
    assert "4 items and 3 ads would be removed" in would
    assert "1 label would be taken back" in would
    planned = cli.json("imports", "undo", mistake[:6], "--dry-run")
    assert cli.json("status")["pool"] == before["pool"]

    # What was refused, or known already, is not the last import.
    (known,) = cli.json("import", tmp_path / "wrong.jsonl").values()
    assert (known["duplicates"], known["import_id"]) == (4, "")
    corrected = {"id": "new-0", "text": "Testo giusto."}
    refused = cli.run("import", write_jsonl(tmp_path / "right.jsonl", corrected))
    assert (refused.returncode, "nothing was imported" in refused.stderr) == (1, True)
    assert cli.json("imports")[-1]["import"] == mistake

    done = cli("imports", "undo", "--yes")
    assert "the corrected file can be imported now" in done
    assert f"import {mistake} of " in done
    assert "4 items and 3 ads will be removed" in done
    assert planned == {
        "import": mistake,
        "file": str(tmp_path / "wrong.jsonl"),
        "at": planned["at"],
        "items": 4,
        "ads": 3,
        "labels_taken_back": 1,
        "labels_put_back": 0,
        "kept": {},
        "dry_run": True,
    }
    after = cli.json("status")
    assert after["pool"]["ads"] == len(ADS)
    assert after["pool"]["erased_items"] == 0
    assert after["labels"]["seed"] == before["labels"]["seed"] - 1
    assert cli.json("imports")[-1]["taken back"]

    again = cli("imports", "undo", mistake)
    assert "it was taken back on" in again
    assert "0 items and 0 ads will be removed" in again
    assert "nothing is left to take back" in again
    (report,) = cli.json("import", tmp_path / "wrong.jsonl").values()
    assert (report["items"], report["ads"], report["labelled"]) == (4, 3, 1)


def test_what_a_model_learned_from_stays_and_is_named(cli_with_model: Cli, made: Path) -> None:
    cli = cli_with_model
    seeds = cli.json("imports")[0]["import"]
    done = cli.json("imports", "undo", seeds)
    assert done["items"] == 0
    assert len(done["kept"]["learned from"]) == done["labels_taken_back"] == 80
    assert "kept: 80 items that a model learned from" in cli("imports", "undo", seeds, "--dry-run")


def test_wrong_questions(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no import begins with 'zz'" in cli.error("imports", "undo", "zz")
    monkeypatch.chdir(tmp_path)
    assert "`biasloop imports undo`" in cli.error("import", "undo", code=2)
    assert json.loads(cli("imports", "--json"))
