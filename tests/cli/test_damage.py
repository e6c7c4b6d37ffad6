"""Files that are damaged: which one is named, and what its message advises helps."""

import shutil
from pathlib import Path

import pytest

from biasloop.service.service import Service
from support.cli import Cli


def spoil(path: Path) -> None:
    """Overwrites the middle; the size stays."""
    content = bytearray(path.read_bytes())
    third = len(content) // 3
    content[third : 2 * third] = b"\xa5" * third
    path.write_bytes(content)


def says(cli: Cli, *what: str) -> None:
    """Status and doctor name the damage."""
    doctor = cli.run("doctor").stdout
    for told in (cli.error("status"), doctor):
        assert all(word in told for word in what), told


@pytest.fixture
def backup(cli_with_model: Cli, tmp_path: Path) -> Path:
    """A backup of the workspace as it was before the damage."""
    cli_with_model("backup", tmp_path / "backup")
    return tmp_path / "backup"


def test_a_damaged_ledger(cli_with_model: Cli, backup: Path) -> None:
    before = cli_with_model.json("status")
    spoil(cli_with_model.workspace / "ledger.db")
    says(cli_with_model, "ledger.db", "damaged", "replace it with a backup")
    shutil.rmtree(cli_with_model.workspace)
    backup.rename(cli_with_model.workspace)
    assert cli_with_model.json("status") == before


def test_a_damaged_shard(cli_with_model: Cli, backup: Path) -> None:
    *_, shard = sorted((cli_with_model.workspace / "pool").glob("items-*.arrow"))
    spoil(shard)
    says(cli_with_model, shard.name, "damaged", "backup")
    assert shard.name in cli_with_model.error("train")
    shutil.copy(backup / "pool" / shard.name, shard)
    cli_with_model("status")


def test_a_model_half_written(cli_with_model: Cli) -> None:
    (model,) = cli_with_model.json("models", "list")
    folder = cli_with_model.workspace / "models" / model["model"]
    for file in sorted(path for path in folder.rglob("*") if path.is_file())[1:]:
        file.unlink()
    assert str(folder) in cli_with_model.run("doctor").stdout
    told = cli_with_model.error("models", "rollback")
    assert "biasloop train" in told

    service = Service(cli_with_model.workspace)
    told = str([service.loop.tick() for _ in range(2)])
    assert str(folder) in told
    service.ledger.close()

    cli_with_model("train")
    cli_with_model("classify", "Cercasi cuoca.")
