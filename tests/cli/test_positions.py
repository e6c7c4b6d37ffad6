"""What annotators say of themselves: kept with consent, shown by group, withdrawn everywhere."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from biasloop.cli.context import WORKSPACE
from biasloop.cli.main import app
from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.item import Ad, real_item
from biasloop.domain.label import LabelSource
from biasloop.domain.split import Split
from biasloop.service.service import Service
from support.workspaces import CopyBare

WOMEN = [f"w{n}@example.org" for n in range(6)]
MEN = [f"m{n}@example.org" for n in range(5)]
SECRET = "Marziana"


@pytest.fixture
def workspace(tmp_path: Path, copy_bare: CopyBare, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twelve people have voted on ten items; the women see more gender than the others."""
    folder = copy_bare(tmp_path / "w", "job_ads_en")
    monkeypatch.setenv(WORKSPACE, str(folder))
    service = Service(folder)
    ads = [Ad(f"ad-{n}", f"Waiter wanted for place {n}.") for n in range(10)]
    items = [real_item(ad, 0, len(ad.text), Split.TRAIN) for ad in ads]
    service.pool.append(items, ads)
    people = [*WOMEN, *MEN, "x@example.org"]
    service.ledger.record(
        [
            Annotation(
                key=f"ls:{n}.{who}",
                item_id=item.id,
                source=LabelSource.HUMAN,
                standing=Standing.VOTE,
                labels=("gender",) if who in WOMEN or n == 0 else ("inclusive",),
                asked=service.campaign.scheme.labels,
                policy_id="p",
                annotator=who,
                at=datetime(2026, 3, 1, tzinfo=UTC),
                task_id=n,
            )
            for n, item in enumerate(items)
            for who in people
        ]
    )
    service.ledger.close()
    return folder


def table(folder: Path, *rows: str, columns: str = "annotator,consent,gender,born in") -> Path:
    file = folder.parent / "positions.csv"
    file.write_text("\n".join([columns, *rows]) + "\n", "utf-8")
    return file


def everybody(folder: Path) -> Path:
    rows = [f"{who},2026-11-01,woman,Italy" for who in WOMEN]
    rows += [f"{who.upper()},2026-11-01,man,{SECRET if who[1] == '0' else 'Italy'}" for who in MEN]
    return table(folder, *rows)


def run(*arguments: object) -> str:
    done = CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "160"})
    assert done.exit_code == 0, done.output
    return done.stdout


def test_groups_side_by_side(workspace: Path) -> None:
    assert "11 positions recorded" in run("annotator", "positions", everybody(workspace))
    found = {d["dimension"]: d for d in json.loads(run("annotators", "--json"))["positions"]}
    groups = {g["group"]: g for g in found["gender"]["groups"]}
    assert {name: group["people"] for name, group in groups.items()} == {"woman": 6, "man": 5}
    assert groups["woman"]["apart"]["gender"]["low"] > 0 > groups["man"]["apart"]["gender"]["high"]
    told = run("annotators")
    assert "by gender" in told
    assert SECRET not in told
    assert "by born in; groups of fewer than five people are not shown" in told


def test_a_group_that_could_be_reckoned_is_not_shown(workspace: Path) -> None:
    """Ten were born in Italy, one elsewhere, and one says nothing."""
    run("annotator", "positions", everybody(workspace))
    found = {d["dimension"]: d for d in json.loads(run("annotators", "--json"))["positions"]}
    assert found["born in"] == {"dimension": "born in", "hidden": True, "groups": []}


def test_withdrawn_everywhere(workspace: Path) -> None:
    run("annotator", "positions", everybody(workspace))
    kept = [p for p in workspace.rglob("*") if p.is_file() and SECRET.encode() in p.read_bytes()]
    assert [p.name for p in kept] == ["positions.json"]
    assert kept[0].stat().st_mode & 0o077 == 0
    (workspace / "positions.json.4711.tmp").write_text(SECRET)  # of a command that was killed
    assert "deleted what" in run("annotator", "withdraw", "M0@example.org")
    left = [p for p in workspace.rglob("*") if p.is_file() and SECRET.encode() in p.read_bytes()]
    assert left == []
    assert b"m0@example.org" not in (workspace / "positions.json").read_bytes()
    found = {d["dimension"]: d for d in json.loads(run("annotators", "--json"))["positions"]}
    assert [g["group"] for g in found["gender"]["groups"]] == ["woman"]  # four men are too few


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("a@example.org,,woman,", "has not agreed"),
        ("a@example.org,yes,woman,", "is not a date"),
        ("a@example.org,2999-01-01,woman,", "in the future: 2999-01-01"),
        ("anna,2026-01-01,woman,", "not the e-mail address"),
        (f"a@example.org,2026-01-01,{'x' * 81},", "over 80 characters"),
    ],
)
def test_a_row_that_is_not_kept(workspace: Path, row: str, why: str) -> None:
    told = run("annotator", "positions", table(workspace, row, f"{WOMEN[0]},2026-01-01,woman,"))
    assert "1 positions recorded" in told
    assert "line 2" in told
    assert why in told
    assert "a@example.org" not in (workspace / "positions.json").read_text("utf-8")


@pytest.mark.parametrize("kind", ["semicolons", "utf-16", "parquet"])
def test_tables_as_tools_write_them(workspace: Path, kind: str) -> None:
    frame = pd.DataFrame({
        "annotator": WOMEN[:2],
        "consent": [date(2026, 1, 2), datetime(2026, 1, 3)],  # noqa: DTZ001
        "gender": ["woman", None],
        "born in": [1980.0, float("nan")],
    })  # fmt: skip
    file = workspace.parent / f"positions.{'parquet' if kind == 'parquet' else 'csv'}"
    if kind == "parquet":
        frame["consent"] = pd.to_datetime(frame["consent"])
        frame.to_parquet(file)
    else:
        encoding = "utf-16" if kind == "utf-16" else "utf-8-sig"
        frame.assign(consent=["2026-01-02", "2026-01-03"]).to_csv(
            file, sep=";", index=False, encoding=encoding
        )
    assert "2 positions" in run("annotator", "positions", file)
    stored = json.loads((workspace / "positions.json").read_text("utf-8"))
    assert stored[WOMEN[0]]["consent"] == "2026-01-02"
    assert stored[WOMEN[0]]["said"] == {"gender": "woman", "born in": "1980"}
    assert stored[WOMEN[1]]["said"] == {}


def test_a_missing_column_names_no_option_that_there_is_not(workspace: Path) -> None:
    done = CliRunner().invoke(app, ["annotator", "positions", str(table(workspace, columns="a"))])
    assert "no column annotator, consent; it has: a" in str(done.exception)
    assert "--column" not in str(done.exception)


def test_nothing_to_withdraw_and_nothing_to_read(workspace: Path) -> None:
    done = CliRunner().invoke(app, ["annotator", "withdraw", "a@example.org"])
    assert done.exit_code == 1
    assert "nothing is stored about" in str(done.exception)
    file = table(workspace, "a@example.org", columns="annotator")
    done = CliRunner().invoke(app, ["annotator", "positions", str(file)])
    assert done.exit_code == 1
    assert "consent" in str(done.exception)


def test_a_damaged_file_names_the_way_out(workspace: Path) -> None:
    (workspace / "positions.json").write_text("{", "utf-8")
    done = CliRunner().invoke(app, ["annotators"])
    assert done.exit_code == 1
    assert "positions.json" in str(done.exception)
    assert "read the CSV again" in str(done.exception)


def test_if_nothing_was_recorded_the_status_says_so(workspace: Path) -> None:
    refused = table(workspace, f"{WOMEN[0]},never,woman,", f"{WOMEN[1]},,woman,")
    for more in ((), ("--json",)):
        done = CliRunner().invoke(app, ["annotator", "positions", str(refused), *more])
        assert done.exit_code == 1
        assert "line 2" in done.output
        assert "line 3" in done.output
        assert str(done.exception) == "no position was recorded: 2 rows refused"


def test_the_encoding_can_be_said_as_for_any_file(workspace: Path) -> None:
    file = table(workspace, f"{WOMEN[0]},2026-01-01,metà,")
    file.write_bytes(file.read_text("utf-8").encode("cp1252"))
    command = ["annotator", "positions", str(file)]
    assert CliRunner().invoke(app, command).exit_code == 1
    assert CliRunner().invoke(app, [*command, "--encoding", "cp1252"]).exit_code == 0
    assert "met\\u00e0" in (workspace / "positions.json").read_text("utf-8")
