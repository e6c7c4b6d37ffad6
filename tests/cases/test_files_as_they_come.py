"""Kind 5: values as other tools write them."""

import json
from collections.abc import Callable
from pathlib import Path

import datasets
import pandas as pd
import pytest

from support.cli import Cli, write_jsonl
from support.small import make_campaign, make_small_workspace

TEXTS = ["Cercasi cuoco uno", "Cercasi cuoca due", "Cercasi cuoco tre"]
Write = Callable[[pd.DataFrame, Path], None]


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_campaign(
        tmp_path_factory.mktemp("campaign") / "campaign",
        *("gender", "age", "IT | software", "IT", "inclusive"),
        none_label="inclusive",
    )


@pytest.fixture
def cli(campaign: Path, tmp_path: Path) -> Cli:
    return make_small_workspace(tmp_path / "workspace", campaign)


def imported(cli: Cli, *files: Path) -> pd.DataFrame:
    """What people labelled, after the import of these files."""
    done = cli.run("import", *files, "--label-source", "human")
    assert done.returncode == 0, done.stdout + done.stderr
    return exported(cli)


def exported(cli: Cli) -> pd.DataFrame:
    out = cli.workspace.parent / f"{cli.workspace.name}_out"
    cli("export", "--format", "csv", "--to", out, "--force")
    return pd.read_csv(out / "items.csv", dtype=str)


def labels_of(cli: Cli, file: Path) -> dict[str, str]:
    items = imported(cli, file)
    return dict(zip(items["text"], items["labels"], strict=True))


def test_numbers_of_classes_in_a_list_become_names(cli: Cli, tmp_path: Path) -> None:
    """Case 16: every row was rejected."""
    numbered = datasets.Dataset.from_dict(
        {"id": ["a", "b"], "text": TEXTS[:2], "labels": [[0, 1], [2]]},
        features=datasets.Features(
            {
                "id": datasets.Value("string"),
                "text": datasets.Value("string"),
                "labels": datasets.Sequence(
                    datasets.ClassLabel(names=["gender", "age", "inclusive"])
                ),
            }
        ),
    )
    numbered.save_to_disk(tmp_path / "saved")
    imported_labels = labels_of(cli, tmp_path / "saved")
    assert {text: set(labels.split("|")) for text, labels in imported_labels.items()} == {
        TEXTS[0]: {"gender", "age"},
        TEXTS[1]: {"inclusive"},
    }


WRITERS: dict[str, Write] = {
    "csv": lambda frame, path: frame.to_csv(path, index=False),
    "parquet": lambda frame, path: frame.to_parquet(path),
    "jsonl": lambda frame, path: path.write_text(
        "".join(json.dumps(row) + "\n" for row in frame.to_dict("records"))  # type: ignore[arg-type]
    ),
}


@pytest.mark.parametrize("format", WRITERS)
def test_missing_values_and_whole_numbers_as_pandas_writes_them(
    cli: Cli, tmp_path: Path, format: str
) -> None:
    """Case 18: NaN in a column that may be empty cost the row; an id was 1.0 or rejected."""
    frame = pd.DataFrame(
        {
            "id": [1.0, 2.0, None],
            "text": TEXTS,
            "title": ["Cuoco", None, "Cuoco"],
            "labels": ["gender", "gender", "age"],
        }
    )
    file = tmp_path / f"ads.{format}"
    WRITERS[format](frame, file)
    items = imported(cli, file)
    assert len(items) == 3
    ids = dict(zip(items["text"], items["ad_id"], strict=True))
    assert [ids[text] for text in TEXTS[:2]] == ["1", "2"]


def test_a_separator_within_a_label_comes_back(cli: Cli, campaign: Path, tmp_path: Path) -> None:
    """Case 28: the export looked like two labels, and was rejected on import."""
    labels = {TEXTS[0]: ["IT | software"], TEXTS[1]: ["IT", "age"], TEXTS[2]: ["inclusive"]}
    rows = [{"id": str(n), "text": text, "labels": labels[text]} for n, text in enumerate(labels)]
    cells = labels_of(cli, write_jsonl(tmp_path / "rows.jsonl", *rows))
    table = tmp_path / "table.csv"
    pd.DataFrame({"text": list(cells), "labels": list(cells.values())}).to_csv(table, index=False)
    other = make_small_workspace(tmp_path / "other", campaign)
    assert labels_of(other, table) == cells
    assert len(set(cells.values())) == 3


AS_THEY_COME: dict[str, bytes] = {
    "array.json": json.dumps([{"id": "1", "text": TEXTS[0], "label": "age"}], indent=1).encode(),
    "array.jsonl": json.dumps([{"id": "1", "text": TEXTS[0], "label": "age"}], indent=1).encode(),
    "own_name.jsonl": json.dumps({"ad_id": "1", "text": TEXTS[0], "label": "age"}).encode(),
}


@pytest.mark.parametrize("name", AS_THEY_COME)
def test_files_are_read_as_they_come(cli: Cli, tmp_path: Path, name: str) -> None:
    """Case 29 and N9: arrays went line by line, and ad_id was ignored."""
    (tmp_path / name).write_bytes(AS_THEY_COME[name])
    items = imported(cli, tmp_path / name)
    assert items[["ad_id", "labels"]].to_numpy().tolist() == [["1", "age"]]


def test_unicode_text_of_a_spreadsheet_is_read(cli: Cli, tmp_path: Path) -> None:
    """Case 29: the columns were garbage. In a process of its own, whose terminal that spoils."""
    file = tmp_path / "excel.csv"
    file.write_bytes(f"id;text;label\n1;{TEXTS[0]} a Forlì;age\n".encode("utf-16"))
    done = cli.process("import", file, "--label-source", "human", errors="replace")
    assert done.returncode == 0, done.stderr
    assert exported(cli)["text"].tolist() == [f"{TEXTS[0]} a Forlì"]


def test_another_encoding_is_told_from_a_missing_column(cli: Cli, tmp_path: Path) -> None:
    """Case 29: the names of the columns were shown with the bytes in them."""
    (tmp_path / "old.csv").write_bytes("id;text;attività\n1;Cercasi cuoco;sì\n".encode("cp1252"))
    done = cli.run("import", tmp_path / "old.csv")
    assert done.returncode != 0
    assert "UTF-8" in done.stdout + done.stderr
    assert "--encoding" in done.stdout + done.stderr


def test_a_file_that_is_not_there_is_no_text_to_judge(cli_with_model: Cli) -> None:
    """Case 29: the name of the file was judged, with exit status 0."""
    done = cli_with_model.run("classify", "annunci_di_marzo.csv")
    assert done.returncode != 0
    assert "annunci_di_marzo.csv" in done.stderr


def test_the_id_of_an_ad_is_known_by_its_name_in_exports(
    cli_with_model: Cli, tmp_path: Path
) -> None:
    """N2: verdicts were numbered, and could be joined by the order of lines only."""
    rows = [{"ad_id": f"ad {n}", "text": text} for n, text in enumerate(TEXTS)]
    output = cli_with_model("classify", write_jsonl(tmp_path / "ads.jsonl", *rows))
    assert [json.loads(line)["id"] for line in output.splitlines()] == ["ad 0", "ad 1", "ad 2"]


def test_an_export_comes_back_as_what_it_was(cli: Cli, tmp_path: Path) -> None:
    """E5: its rows became new ads with labels of people."""
    rows = [{"id": str(n), "text": text, "label": "age"} for n, text in enumerate(TEXTS)]
    before = imported(cli, write_jsonl(tmp_path / "rows.jsonl", *rows))
    out = cli.workspace.parent / f"{cli.workspace.name}_out"
    cli.run("import", out / "items.csv", "--label-source", "human")
    after = exported(cli)
    assert after.sort_values("item_id")["text"].tolist() == (
        before.sort_values("item_id")["text"].tolist()
    )
    assert set(after["item_id"]) == set(before["item_id"])


def test_files_that_are_not_read_are_named(cli: Cli, tmp_path: Path) -> None:
    """E6: texts and documents next to a table were left out without a word."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    write_jsonl(folder / "a.jsonl", {"id": "1", "text": TEXTS[0]})
    (folder / "notes.docx").write_bytes(b"PK")
    (folder / "scan.pdf").write_bytes(b"%PDF")
    done = cli.run("import", folder)
    for name in ("notes.docx", "scan.pdf"):
        assert name in done.stdout + done.stderr


def test_if_nothing_came_in_the_status_and_the_terminal_say_so(cli: Cli, tmp_path: Path) -> None:
    """E19: status 0, and the reason stood in a file only."""
    done = cli.run("import", write_jsonl(tmp_path / "ads.jsonl", {"id": "1", "text": " "}))
    assert done.returncode == 1
    assert "line 1" in done.stdout + done.stderr
