"""An analyst exports a labelled corpus and reads it with pandas."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from datasets import load_dataset
from pandas.api import types

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.batch import Arm, Selection
from biasloop.domain.label import LabelSource
from biasloop.domain.measure.design import Draw
from biasloop.domain.round import Done, State
from biasloop.service.service import Service
from support.cli import SEEDS, Cli, write_jsonl
from support.workspaces import ADS

AT = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
REWRITE = {"result": [{"from_name": "rewrite", "value": {"text": ["Cerchiamo personale"]}}]}


def vote(item: str, key: int, who: str, labels: Sequence[str], policy: str) -> Annotation:
    """A vote as the poll records it."""
    return Annotation(
        key=f"ls:{key}",
        item_id=item,
        source=LabelSource.HUMAN,
        standing=Standing.VOTE,
        labels=tuple(labels),
        asked=("gender", "age"),
        policy_id=policy,
        annotator=who,
        at=AT,
        seconds=3.5,
        task_id=key,
        extra=REWRITE,
    )


@pytest.fixture
def labelled(cli_with_model: Cli) -> Cli:
    """Three real items were asked about in round 0; two people answered."""
    service = Service(cli_with_model.workspace)
    pool, ledger, policy = service.pool, service.ledger, service.campaign.policy.id
    ids = pool.column("id")
    rows = [int(row) for row in (pool.column("origin") == "real").nonzero()[0][:3]]
    arms = ((Arm.AUDIT, 0.5), (Arm.ACQUISITION, None), (Arm.RANDOM_TRAIN, 0.1))
    ledger.rounds.open({}, AT)
    batch = tuple(
        Selection(str(ids[row]), row, arm, chance, position)
        for position, (row, (arm, chance)) in enumerate(zip(rows, arms, strict=True))
    )
    draws = tuple(
        Draw.from_frame(s.arm, np.array([s.row]), np.array([s.probability]), np.array([s.row]))
        for s in batch
        if s.probability
    )
    for records in ((), (), (*batch, *draws)):
        claim = ledger.rounds.claim(AT, "test", datetime.now(UTC))
        assert claim
        ledger.rounds.commit(claim, Done(records=records), AT)
    assert ledger.rounds.get(0).state is State.SELECTED
    first, second, _ = (selection.item_id for selection in batch)
    ledger.record([vote(first, 11, "zoe@example.org", ["gender"], policy)])
    ledger.record([vote(second, 12, "anna@example.org", ["age"], policy)])
    ledger.record([vote(first, 13, "anna@example.org", ["gender", "age"], policy)])
    ledger.close()
    return cli_with_model


def tables(cli: Cli, *options: str) -> dict[str, pd.DataFrame]:
    paths = [Path(path) for path in cli.json("export", *options)]
    assert all(cli.workspace in path.parents for path in paths)
    read = {".parquet": pd.read_parquet, ".csv": pd.read_csv}
    return {path.stem: read[path.suffix](path) for path in paths}


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_columns_of_the_input_come_back_under_their_own_names(
    cli: Cli, tmp_path: Path, format: str
) -> None:
    ads = [
        {"ad_id": "k1", "text": "Cercasi cuoco a Lodi.", "sector": "=food", "pay": 1500,
         "published": "2026-03-01", "cap": "00100"},
        {"ad_id": "k2", "text": "Cercasi cuoco a Pavia.", "sector": None, "pay": 1600.5, "cap": 7},
    ]  # fmt: skip
    done = cli.run("import", write_jsonl(tmp_path / "a.jsonl", *ads))
    assert "columns kept with the ads: sector, pay, published, cap" in done.stdout
    assert "column 'cap': it holds text and whole numbers, and counts as text" in done.stderr
    table = tables(cli, "--format", format)["ads"].set_index("ad_id")
    assert list(table.columns[4:]) == ["sector", "pay", "published", "cap"]
    assert list(table.loc[["k1", "k2"], "pay"]) == [1500, 1600.5]
    assert str(table.loc["k1", "published"]) == "2026-03-01"
    assert table.loc["k1", "sector"] == ("=food" if format == "parquet" else "'=food")
    assert table[["sector", "pay", "published", "cap"]].loc["ad-1"].isna().all()
    (folder,) = (cli.workspace / "exports").iterdir()

    elsewhere = Cli(tmp_path / "elsewhere")
    elsewhere("init", elsewhere.workspace, "--campaign", "job_ads_it")
    elsewhere("import", folder / f"ads.{format}")
    service = Service(elsewhere.workspace)
    ad = service.pool.ads(["k1"])["k1"]
    assert ad.columns["sector"] == "=food"
    assert ad.columns["published"] == date(2026, 3, 1)
    assert ad.columns["cap"] == "00100"
    service.close()


def test_a_labelled_corpus(labelled: Cli) -> None:
    found = tables(labelled)
    items, votes, ads = found["items"], found["votes"], found["ads"]
    real = items[items["origin"] == "real"].set_index("arm")
    assert list(real.loc["audit", "labels"]) == ["gender", "age"]  # a tie finds, never hides
    assert list(real.loc["acquisition", "labels"]) == ["age"]
    assert real.loc["audit", "inclusion_probability"] == 0.5
    assert pd.isna(real.loc["acquisition", "inclusion_probability"])
    assert set(real["round"]) == {0}
    assert [len(policies) for policies in real["policies"]] == [1, 1]
    assert (items["label_source"] == "seed").sum() == SEEDS
    assert (items["label_source"] == "constructed").sum() > 0
    texts = ads.set_index("ad_id")["text"]
    for _, item in real.iterrows():
        assert texts[item["ad_id"]][item["start"] : item["end"]] == item["text"]
    assert set(ads["ad_id"]) == {ad["id"] for ad in ADS}
    assert types.is_datetime64_any_dtype(votes["at"])
    human = votes[votes["label_source"] == "human"].set_index("annotation")
    assert human.loc["ls:11", "at"] == pd.Timestamp(AT)
    assert human.loc["ls:11", "seconds"] == 3.5
    assert json.loads(human.loc["ls:12", "extra"]) == REWRITE
    assert dict(human["annotator"]) == {"ls:11": "A1", "ls:12": "A2", "ls:13": "A2"}
    assert not votes.map(lambda value: "example.org" in str(value)).any(axis=None)


def test_a_flag_is_a_column(labelled: Cli) -> None:
    config = labelled.workspace / "campaign" / "label_config.xml"
    flag = '<Choices name="unsure" toName="text"><Choice value="unsure"/></Choices>'
    config.write_text(config.read_text("utf-8").replace("</View>", f"{flag}</View>"), "utf-8")
    service = Service(labelled.workspace)
    (first,) = (a for a in service.ledger.annotations() if a.key == "ls:11")
    chosen = {"type": "choices", "from_name": "unsure", "value": {"choices": ["unsure"]}}
    service.ledger.record([replace(first, extra={"result": [chosen]})])
    service.ledger.close()
    votes = tables(labelled)["votes"].set_index("annotation")
    assert list(votes.loc[["ls:11", "ls:12"], "unsure"]) == [True, False]
    assert list(votes.loc["ls:11", "labels"]) == ["gender"]


def test_people_keep_their_pseudonyms(labelled: Cli) -> None:
    service = Service(labelled.workspace)
    (first,) = (a for a in service.ledger.annotations() if a.key == "ls:11")
    changed = vote(first.item_id, 11, "zoe@example.org", ["inclusive"], first.policy_id)
    service.ledger.record([changed])  # now the newest version of all
    service.ledger.close()
    votes = tables(labelled)["votes"].set_index("annotation")
    assert list(votes.loc[["ls:11", "ls:12"], "annotator"]) == ["A1", "A2"]


def test_the_whole_pool_with_the_models_verdict(labelled: Cli) -> None:
    found = tables(labelled, "--verdicts")["items"]
    assert len(found) == labelled.json("status")["pool"]["items"]
    assert found.filter(like="p_").shape[1] == 10
    assert found["p_gender"].between(0, 1).all()
    assert set(found["model"]) == {labelled.json("status")["model_in_service"]}
    assert found["flagged"].map(lambda flags: set(flags) <= {"gender", "age"}).any()


def test_csv_for_a_spreadsheet(labelled: Cli, tmp_path: Path) -> None:
    formula = '=HYPERLINK("http://example.org";"premi")'
    rows = write_jsonl(tmp_path / "f.jsonl", {"id": "=1+1", "title": "@x", "text": formula})
    labelled("import", rows)
    found = tables(labelled, "--format", "csv")
    for value in found["ads"].iloc[-1][["ad_id", "title", "text"]]:
        assert value.startswith("'")
    items = found["items"]
    audit = items[items["arm"] == "audit"].iloc[0]
    assert audit["labels"] == "gender|age"
    assert "csv, datasets, jsonl" in labelled.error("export", "--format", "ods", code=2)
    assert "f.jsonl" in labelled.error("export", "--to", rows)


def test_a_workspace_without_labels_exports_its_ads(campaign: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path / "workspace")
    cli("init", cli.workspace, "--campaign", "job_ads_en")
    found = tables(cli)
    assert list(found["ads"].columns) == ["ad_id", "title", "text", "language", "source"]
    assert "inclusion_probability" in found["items"]


# --- folders --------------------------------------------------------------------------------------

FORMATS = ("parquet", "csv", "jsonl", "xlsx", "datasets")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_same_export_twice_is_the_same_bytes(labelled: Cli) -> None:
    for format in FORMATS:
        first, second = (labelled.workspace / f"{format}-{n}" for n in (1, 2))
        for folder in (first, second):
            labelled("export", "--to", folder, "--format", format)
        assert contents(first) == contents(second)
        done = subprocess.run(
            ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=first, check=False
        )
        assert done.returncode == 0


def test_an_export_is_replaced_only_when_asked(labelled: Cli) -> None:
    folder = labelled.workspace / "mine"
    labelled("export", "--to", folder)
    before = contents(folder)
    assert "--force" in labelled.error("export", "--to", folder, "--format", "csv")
    assert contents(folder) == before
    labelled("export", "--to", folder, "--format", "csv", "--force")
    assert "items.csv" in contents(folder)
    assert "items.parquet" not in contents(folder)
    (folder / "notes.txt").write_text("mine")
    told = labelled.error("export", "--to", folder, "--force")
    assert "notes.txt, which no export wrote" in told
    assert (folder / "notes.txt").read_text() == "mine"
    assert not list(labelled.workspace.glob("*.tmp"))


def test_what_cannot_be_written_leaves_the_older_export(labelled: Cli, tmp_path: Path) -> None:
    folder = labelled.workspace / "mine"
    labelled("export", "--to", folder)
    before = contents(folder)
    long = write_jsonl(tmp_path / "long.jsonl", {"id": "long", "text": "parola " * 6_000})
    labelled("import", long)
    told = labelled.error("export", "--to", folder, "--force", "--format", "xlsx")
    assert "ads, row 12, column text: 42000 characters" in told
    assert contents(folder) == before
    assert not list(labelled.workspace.glob("*.tmp"))


def test_two_exports_in_one_second_have_two_folders(labelled: Cli) -> None:
    folders = {Path(labelled.json("export")[0]).parent for _ in range(3)}
    assert len(folders) == 3


def test_half_a_surrogate_pair_is_refused_by_name(labelled: Cli) -> None:
    service = Service(labelled.workspace)
    (first,) = (a for a in service.ledger.annotations() if a.key == "ls:11")
    broken = {
        "result": [{"type": "textarea", "from_name": "rewrite", "value": {"text": ["\ud83d"]}}]
    }
    service.ledger.record([replace(first, extra=broken)])
    service.ledger.close()
    told = labelled.error("export")
    assert f"rewrite of '{first.item_id}' contains half a surrogate pair" in told
    assert not list(labelled.workspace.rglob("items.parquet"))


# --- other readers --------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["datasets", "parquet", "csv", "jsonl"])
def test_hugging_face_reads_each_table(labelled: Cli, format: str, tmp_path: Path) -> None:
    rows = dict(zip(("items", "votes", "ads"), map(len, tables_of(labelled)), strict=True))
    separator = ["--separator", ";"] if format == "csv" else []
    folder = tmp_path / "export"
    labelled("export", "--to", folder, "--format", format, *separator)
    for name, count in rows.items():
        loaded = load_dataset(str(folder), name, cache_dir=str(tmp_path / "cache"))["train"]
        assert len(loaded) == count
    default = load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))["train"]
    assert "inclusion_probability" in default.column_names
    if format != "csv":
        assert ["gender"] in default["labels"]


def tables_of(cli: Cli) -> list[pd.DataFrame]:
    return [pd.read_parquet(path) for path in cli.json("export")]


def test_a_database_reads_the_tables(labelled: Cli) -> None:
    items, votes, _ = labelled.json("export")
    query = (
        f"SELECT count(*), count(DISTINCT v.annotator) FROM '{items}' i "
        f"JOIN '{votes}' v USING (item_id) "
        "WHERE list_contains(i.labels, 'gender') AND v.label_source = 'human'"
    )
    assert duckdb.sql(query).limit(1).fetchall() == [(2, 2)]


@pytest.mark.parametrize("format", FORMATS)
def test_croissant_is_valid_and_gives_the_records(
    labelled: Cli, format: str, tmp_path: Path
) -> None:
    folder = tmp_path / "export"
    labelled("export", "--to", folder, "--format", format)
    code = (
        "import sys, mlcroissant; data = mlcroissant.Dataset(sys.argv[1]);"
        "print(len(data.metadata.record_sets), data.metadata.issues.errors);"
        "print(next(iter(data.records('items'))) if len(sys.argv) > 2 else '')"
    )
    records = ["records"] if format in ("parquet", "datasets") else []
    done = subprocess.run(
        [sys.executable, "-c", code, folder / "croissant.json", *records],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{0 if format == 'xlsx' else 3} set()")
    assert not records or "items/label_source" in done.stdout


def test_the_readme_explains_every_column(labelled: Cli, tmp_path: Path) -> None:
    labelled("export", "--to", tmp_path / "export", "--verdicts")
    text = (tmp_path / "export" / "README.md").read_text("utf-8")
    for name in ("items", "votes", "ads"):
        for column in pd.read_parquet(tmp_path / "export" / f"{name}.parquet").columns:
            assert f"| `{column}` |" in text
    assert "2 annotators in Label Studio" in text
    assert "$ biasloop export --format parquet --verdicts" in text
    assert str(tmp_path) not in text
    assert "example.org" not in text


# --- personal data --------------------------------------------------------------------------------

CONTACT = "Cercasi cuoca. Contatto:\nAnna Rossi, anna.rossi@example.org oppure 02 12345678."
SECRETS = ("Anna Rossi", "anna.rossi@example.org", "12345678")


@pytest.mark.parametrize("format", FORMATS)
def test_no_file_of_an_export_has_personal_data(labelled: Cli, format: str, tmp_path: Path) -> None:
    ad = {"id": "p", "text": CONTACT, "contatto": "Anna Rossi", "sede": "Lecco"}
    labelled("import", write_jsonl(tmp_path / "p.jsonl", ad))
    folder = tmp_path / "export"
    printed = labelled("export", "--to", folder, "--all", "--format", format)
    assert "masked: 7 places" in printed  # three in the ad, one in its column, three in its items
    read = {".parquet": pd.read_parquet, ".csv": pd.read_csv, ".xlsx": pd.read_excel}
    read[".jsonl"] = partial(pd.read_json, lines=True)
    frames = [read[path.suffix](path) for path in sorted(folder.rglob("[aiv]*s.*"))]
    assert len(frames) == 3
    for frame in frames:
        text = frame.to_csv()
        assert not [secret for secret in SECRETS if secret in text]
    ads, items, _ = frames
    (masked,) = ads[ads["ad_id"] == "p"]["text"]
    for _, item in items[items["ad_id"] == "p"].iterrows():
        assert masked[item["start"] : item["end"]] == item["text"]
    assert "Lecco" in frames[0].to_csv()


def test_personal_data_is_kept_when_asked(labelled: Cli, tmp_path: Path) -> None:
    labelled("import", write_jsonl(tmp_path / "p.jsonl", {"id": "p", "text": CONTACT}))
    folder = tmp_path / "export"
    assert "personal data is kept" in labelled("export", "--to", folder, "--keep-personal")
    ads = pd.read_parquet(folder / "ads.parquet").set_index("ad_id")
    assert ads.loc["p", "text"] == CONTACT
    assert "**Kept**" in (folder / "README.md").read_text("utf-8")
