"""annotator add, list, link, revoke, remove: from the command line, without a server."""

import shutil
from pathlib import Path

import pytest

from support.cli import Cli

ANNA = "anna@example.org"


@pytest.fixture
def added(cli: Cli) -> Cli:
    """A workspace to which Anna was added."""
    assert "/l/" in cli("annotator", "add", ANNA, "--name", "Anna Verdi")
    return cli


def test_an_added_annotator_gets_a_link_and_a_mail_in_the_campaign_s_language(cli: Cli) -> None:
    added = cli.json("annotator", "add", ANNA, "--name", "Anna Verdi")
    assert added["link"].startswith("http://127.0.0.1:8070/l/")
    assert added["link"] in added["mail"]["text"]
    assert added["mail"]["text"].startswith("Ciao Anna Verdi,")
    assert "anna" not in added["account"]
    again = cli.json("annotator", "link", ANNA)
    assert again["link"] != added["link"]
    assert again["pseudonym"] == added["pseudonym"]
    (row,) = cli.json("annotator", "list")
    assert (row["email"], row["name"], row["removed"]) == (ANNA, "Anna Verdi", None)
    assert cli.json("annotator", "revoke", ANNA)["ended"] == 2


def test_what_is_wrong_is_said_in_one_line(cli: Cli) -> None:
    assert "name@example.org" in cli.error("annotator", "add", "anna")
    for command in ("link", "revoke", "remove"):
        assert "annotator list" in cli.error("annotator", command, ANNA)
    assert "annotator add" in cli("annotator", "list")


def mentions(folder: Path, *words: bytes) -> list[str]:
    """The files in which one of these words stands."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return [str(path) for path in files if any(word in path.read_bytes() for word in words)]


def test_erased_people_are_nowhere_also_after_a_restore(added: Cli, tmp_path: Path) -> None:
    words = (ANNA.encode(), b"Anna Verdi")
    table = tmp_path / "positions.csv"
    table.write_text(f"annotator,consent,gender\n{ANNA},2026-01-01,f\n", "utf-8")
    added("annotator", "positions", table)
    backup = tmp_path / "backup"
    added("backup", backup)
    assert mentions(added.workspace, *words)
    assert mentions(backup, *words)
    removed = added.json("annotator", "remove", ANNA, "--erase", "--yes")
    assert removed["erased"]
    assert removed["backups"] == [str(backup)]
    assert mentions(added.workspace, *words) == []
    assert mentions(backup, *words) == []
    shutil.rmtree(added.workspace)
    backup.rename(added.workspace)
    (row,) = added.json("annotator", "list")
    assert (row["pseudonym"], row["email"], row["name"]) == (removed["pseudonym"], None, None)
    assert row["removed"]
    assert row["link_valid_until"] is None
    assert added.error("annotator", "link", ANNA)


def test_a_backup_that_cannot_be_opened_keeps_the_erasure_open(added: Cli, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    added("backup", backup)
    settings = backup / "biasloop.toml"
    text = settings.read_text("utf-8")
    settings.write_text("[no", "utf-8")
    assert str(backup) in added.error("annotator", "remove", ANNA, "--erase", "--yes")
    assert added.json("annotator", "list")[0]["email"] == ANNA
    settings.write_text(text, "utf-8")
    assert added.json("annotator", "remove", ANNA, "--erase", "--yes")["erased"]


def test_a_backup_that_is_not_there_is_named(added: Cli, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    added("backup", backup)
    backup.rename(tmp_path / "elsewhere")
    removed = added.json("annotator", "remove", ANNA, "--erase", "--yes")
    assert removed["backups_missing"] == [str(backup)]
    assert "annotator list" in added.error("annotator", "remove", "", "--yes")


def test_somebody_who_is_removed_stays_known_by_their_pseudonym(added: Cli) -> None:
    removed = added.json("annotator", "remove", ANNA, "--yes")
    assert removed["backups"] == []
    (row,) = added.json("annotator", "list")
    assert (row["pseudonym"], row["email"]) == (removed["pseudonym"], ANNA)
    assert row["removed"]


def test_doctor_says_when_the_gateway_protects_nothing(cli: Cli) -> None:
    assert cli.doctor()["gateway"][0]
    cli.environment |= {
        "BIASLOOP_LABELSTUDIO__URL": "http://label-studio.invalid:8080",
        "BIASLOOP_LABEL_STUDIO_TOKEN": "0" * 40,
    }
    assert "gateway" not in cli.doctor()  # `serve` has none until it is asked for
    cli.environment["BIASLOOP_GATEWAY__WITH_SERVE"] = "true"
    well, line = cli.doctor()["gateway"]
    assert not well
    assert "protects nothing" in line
