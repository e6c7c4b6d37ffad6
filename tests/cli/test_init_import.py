"""An engineer makes a workspace and brings in data."""

import json
import shlex
import shutil
from pathlib import Path

import pandas as pd
import pytest

from biasloop.service.service import Service
from support.annotations import vote
from support.cli import SEEDS, Cli, write_jsonl
from support.workspaces import AD, ADS

CONFIG_WITH_LABELS_OVER_NOTHING = """<View><Text name="text" value="$text"/>
<Choices name="label" toName="text"><Choice value="gender"/><Choice value="age"/></Choices>
<Labels name="mark" toName="nothing"><Label value="gender"/></Labels></View>"""
"""What biasloop could use, and Label Studio refuses."""


@pytest.fixture
def nowhere(tmp_path: Path) -> Cli:
    return Cli(tmp_path / "nowhere")


def test_the_shipped_campaign_needs_nothing_running(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    told = Cli(folder)("init", folder, "--campaign", "job_ads_it", "--example-ads")
    assert f"next: cd {folder}" in told
    found = Cli(folder).json("status")
    assert found["pool"]["ads"] >= 40
    assert found["labels"]["seed"] >= 100
    assert (folder / "secrets").stat().st_mode & 0o777 == 0o600
    for secret in (folder / "secrets").read_text().split():
        assert secret.partition("=")[2] not in told


def test_init_prints_a_command_that_a_shell_understands(nowhere: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "ünï spaß 1; 'x'"
    printed = nowhere("init", folder, "--campaign", "job_ads_en")
    assert shlex.split(printed.split("next: ")[1])[:3] == ["cd", str(folder), "&&"]


def test_init_says_what_to_add_where_nobody_can_say_that_no_label_fits(
    nowhere: Cli, campaign: Path, tmp_path: Path
) -> None:
    blank = Path(shutil.copytree(campaign, tmp_path / "blank"))
    about = blank / "campaign.toml"
    lines = about.read_text("utf-8").splitlines()
    kept = [line for line in lines if not line.startswith("none_label")]
    about.write_text("\n".join(kept), "utf-8")
    error = nowhere.error("init", nowhere.workspace, "--campaign", blank, code=2)
    assert "none_label" in error
    assert "<Choice" in error


def test_init_takes_only_a_new_folder(cli: Cli, tmp_path: Path) -> None:
    assert "workspace already" in cli.error("init", cli.workspace, "--campaign", "job_ads_it")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    assert "not empty" in cli.error("init", tmp_path / "full", "--campaign", "job_ads_it")
    file = tmp_path / "full" / "mine.txt"
    assert str(file) in cli.error("init", file, "--campaign", "job_ads_it")
    assert str(file) in cli.error("init", file / "below", "--campaign", "job_ads_it")


def test_init_names_the_known_campaigns(nowhere: Cli) -> None:
    told = nowhere.error("init", nowhere.workspace, "--campaign", "annunci", code=2)
    assert "job_ads_it" in told
    assert not nowhere.workspace.exists()


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("label_config.xml", "<View><Choices"),
        ("label_config.xml", "<View><Text name='text' value='$text'/></View>"),
        ("label_config.xml", CONFIG_WITH_LABELS_OVER_NOTHING),
        ("campaign.toml", "name = "),
        ("campaign.toml", 'name="x"\ntitle="IT"\nlanguage="it"\nunit="text"'),
        ("campaign.toml", f'name="x"\ntitle="{"x" * 51}"\nlanguage="it"\nunit="text"'),
        ("guidelines.md", None),
    ],
)
def test_init_says_what_is_wrong_in_a_campaign(
    nowhere: Cli, campaign: Path, tmp_path: Path, file: str, content: str | None
) -> None:
    broken = Path(shutil.copytree(campaign, tmp_path / "broken"))
    if content is None:
        (broken / file).unlink()
    else:
        (broken / file).write_text(content)
    assert file in nowhere.error("init", nowhere.workspace, "--campaign", broken, code=2)
    assert not nowhere.workspace.exists()


def test_no_workspace_no_command(nowhere: Cli, tmp_path: Path) -> None:
    assert "biasloop init" in nowhere.error("status", code=2)
    assert "biasloop init" in nowhere.error("import", tmp_path / "x.jsonl", code=2)
    assert "Missing argument" in nowhere.usage_error("init")
    assert "No such command" in nowhere.usage_error("labelss")


def test_what_was_imported_is_counted(cli: Cli) -> None:
    found = cli.json("status")
    assert found["pool"]["ads"] == len(ADS)
    # AD has four sentences, the others one each.
    assert found["pool"]["by_origin"] == {"seed": SEEDS, "real": 4 + len(ADS) - 1}
    assert found["labels"] == {"seed": SEEDS}


def test_the_same_file_again_adds_nothing(cli: Cli, tmp_path: Path) -> None:
    (again,) = cli.json("import", write_jsonl(tmp_path / "ads.jsonl", *ADS)).values()
    assert (again["ads"], again["items"], again["duplicates"]) == (0, 0, len(ADS))


def test_a_bad_row_costs_only_itself(cli: Cli, tmp_path: Path) -> None:
    rows = [
        json.dumps({"id": "x1", "text": "Cerchiamo una cassiera."}),
        '{"id": "x2", "text": ',
        json.dumps({"id": "x3", "text": "  "}),
        json.dumps(AD | {"text": "Un altro testo."}),
        json.dumps({"id": "x5", "text": "Cerchiamo un cassiere.", "labels": ["sesso"]}),
        json.dumps({"id": "x6", "text": "Cerchiamo personale di cassa."}),
    ]
    path = tmp_path / "mixed.jsonl"
    path.write_bytes("\n".join(rows).encode() + b'\n{"id": "x7", "text": "citt\xe0"}\n')
    (told,) = cli.json("import", path).values()
    assert (told["ads"], told["rejects"]) == (2, 5)
    lines = Path(told["rejects_file"]).read_text("utf-8").splitlines()
    rejects = [json.loads(line) for line in lines]
    reasons = {reject["line"]: reject["reason"].split()[0] for reject in rejects}
    assert reasons == {2: "broken", 3: "no", 4: "ad", 5: "a", 7: "not"}


def test_csv_as_a_spreadsheet_saves_it(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "annunci.csv"
    frame = pd.DataFrame({"codice": [7], "corpo": ["Cerchiamo un cuoco; età: 18-30.\nSubito."]})
    frame.to_csv(path, sep=";", index=False, encoding="utf-8-sig")
    columns = ("--column", "id=codice", "--column", "text=corpo")
    told = cli("import", path, *columns, "--unit", "text")
    assert "1 ads, 1 new items" in told
    exported = pd.read_parquet(_export(cli) / "ads.parquet").set_index("ad_id")
    assert exported.loc["7", "text"] == frame["corpo"][0]
    told = cli.error("import", path)
    assert "text" in told
    assert "codice, corpo" in told
    assert "FIELD=COLUMN" in cli.error("import", path, "--column", "text", code=2)


def test_labels_come_as_whose_they_are(cli: Cli, tmp_path: Path) -> None:
    text = "Cerchiamo una segretaria."
    by_people = write_jsonl(tmp_path / "l.jsonl", {"id": "p1", "text": text, "labels": ["gender"]})
    cli("import", by_people, "--label-source", "human")
    assert cli.json("status")["labels"] == {"seed": SEEDS, "human": 1}
    assert "seed, human or gold" in cli.error("import", by_people, "--label-source", "llm", code=2)
    assert "sentence or text" in cli.error("import", by_people, "--unit", "word", code=2)


def test_a_file_that_cannot_be_read(cli: Cli, tmp_path: Path) -> None:
    assert "none.jsonl" in cli.error("import", tmp_path / "none.jsonl")
    (tmp_path / "empty").mkdir()
    assert ".jsonl" in cli.error("import", tmp_path / "empty")


@pytest.mark.parametrize("options", [(), ("--json",), ("--dry-run",)])
def test_if_nothing_was_taken_in_the_first_reasons_are_shown(
    cli: Cli, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """The README's --column text=body, on files that lack that column."""
    path = write_jsonl(tmp_path / "ads.jsonl", *({"id": n, "text": "Cuoca."} for n in range(9)))
    done = cli.run("import", path, "--column", "text=body", *options)
    assert done.returncode == 1
    told = done.stderr.splitlines()
    assert told[0] == "rejected: line 1 (id 0): no column body; it has: id, text"
    assert told[-2:] == [
        "rejected: 4 more",
        "error: nothing would be imported: 9 rows would be rejected"
        if "--dry-run" in options
        else "error: nothing was imported: 9 rows were rejected",
    ]
    if options == ("--json",):
        (report,) = json.loads(done.stdout).values()
        assert (report["rejects"], report["ads"], len(report["reasons"])) == (9, 0, 5)
    path.write_text("")
    assert "nothing was imported: there are no rows" in cli.error("import", path)


def test_what_is_not_read_is_named(cli: Cli, tmp_path: Path) -> None:
    good = write_jsonl(tmp_path / "good.jsonl", {"id": "n1", "text": "Cercasi cuoca."})
    (tmp_path / "b.pdf").write_text("x")
    done = cli.run("import", tmp_path / "b.pdf", good, tmp_path / "none.csv", "--json")
    assert done.returncode == 0
    assert [Path(path).name for path in json.loads(done.stdout)] == ["good.jsonl"]
    assert [Path(line.split()[4].strip(":")).name for line in done.stderr.splitlines()] == [
        "b.pdf",
        "none.csv",
    ]
    assert "nothing was imported" in cli.run("import", tmp_path / "b.pdf", tmp_path / "c").stderr
    done = cli.run("import", tmp_path)
    assert done.returncode == 0
    assert "not read: b.pdf: supported are .jsonl" in done.stderr


def test_a_dry_run_writes_nothing(cli: Cli, tmp_path: Path) -> None:
    rows = ({"id": "n1", "text": "Cercasi cuoca. Subito."}, {"id": "n2"})
    path = write_jsonl(tmp_path / "ads.jsonl", *rows)
    before = cli.json("status")["pool"]
    files = sorted(cli.workspace.rglob("*"))
    told = cli("import", path, "--dry-run")
    assert (
        "would add 1 ad with 2 new items and record 0 labels; 0 rows already known, 1 row rejected"
    ) in told
    assert "nothing was written" in told
    assert sorted(cli.workspace.rglob("*")) == files
    assert cli.json("status")["pool"] == before
    assert "1 ads, 2 new items" in cli("import", path)


def test_a_dry_run_of_several_files_counts_what_they_add_together(cli: Cli, tmp_path: Path) -> None:
    rows = [{"id": f"n{n}", "text": f"Cercasi cuoca numero {n}."} for n in range(3)]
    other = [rows[0], {"id": "n1", "text": "Un altro testo."}, {"id": "n9", "text": "Cuoco."}]
    paths = [write_jsonl(tmp_path / "a.jsonl", *rows), write_jsonl(tmp_path / "b.jsonl", *other)]
    keys = ("ads", "items", "duplicates", "rejects")

    def counts(*options: str) -> list[list[int]]:
        return [[r[key] for key in keys] for r in cli.json("import", *paths, *options).values()]

    assert counts("--dry-run") == counts() == [[3, 3, 0, 0], [1, 1, 1, 1]]


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_an_export_comes_back_as_what_it_was(cli: Cli, tmp_path: Path, format: str) -> None:
    cli("export", "--format", format, "--to", tmp_path / "out")
    before = cli.json("status")
    items = tmp_path / "out" / f"items.{format}"
    assert "from seed, not from human; leave out" in cli.error(
        "import", items, "--label-source", "human"
    )
    (report,) = cli.json("import", items).values()
    assert (report["duplicates"], report["labelled"], report["rejects"]) == (SEEDS, 0, 0)
    (report,) = cli.json("import", tmp_path / "out").values()
    documents = ("README.md: ", "SHA256SUMS: ")
    assert [line for line in report["unread"] if not line.startswith(documents)] == [
        f"votes.{format}: {tmp_path / 'out' / f'votes.{format}'} is the table of votes of an "
        "export, which is not read back"
    ]
    after = cli.json("status")
    assert (after["pool"], after["labels"]) == (before["pool"], before["labels"])


def test_items_of_an_export_wait_for_their_ads(cli: Cli, campaign: Path, tmp_path: Path) -> None:
    """In a campaign of sentences; those of seeds need no ad."""
    service = Service(cli.workspace)
    real = [item for item in service.pool.items(range(len(service.pool))) if item.ad_id == "ad-1"]
    service.ledger.record(
        [vote(item.id, "inclusive", key=f"ls:{n}", task_id=n) for n, item in enumerate(real)]
    )
    service.close()
    cli("export", "--format", "csv", "--to", tmp_path / "out")
    items, ads = tmp_path / "out" / "items.csv", tmp_path / "out" / "ads.csv"
    other = Cli(tmp_path / "other")
    other("init", other.workspace, "--campaign", campaign, "--seed", 1)

    (report,) = other.json("import", items).values()
    assert (report["duplicates"], report["labelled"], report["rejects"]) == (SEEDS, 0, len(real))
    assert all("import the table of ads of the same export first" in r for r in report["reasons"])
    first, second = other.json("import", ads, items).values()
    assert (first["ads"], first["items"], first["rejects"]) == (len(ADS), 4 + len(ADS) - 1, 0)
    assert (second["items"], second["labelled"], second["rejects"]) == (0, len(real), 0)
    assert other.json("status")["pool"] == cli.json("status")["pool"]


def test_another_encoding(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("id;text\nn1;Età 30\n".encode("cp1252"))
    assert "--encoding cp1252" in cli.run("import", path).stderr
    assert "1 ads" in cli("import", path, "--encoding", "cp1252")


def _export(cli: Cli) -> Path:
    cli("export", "--to", cli.workspace / "out")
    return cli.workspace / "out"
