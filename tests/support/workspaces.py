"""Workspaces of a small Italian campaign, made once and copied, each on its own project."""

import shutil
from pathlib import Path

import pytest

from support.cli import Cli, small_campaign, write_jsonl

AD = {
    "id": "ad-1",
    "title": "Barista",
    "source": "prova",
    "text": "🙂 Cerchiamo un barista a Lecco.\n\nOrario serale. Età massima: 30 anni.\n- Perché?",
}
ADS = (AD, *({"id": f"ad-{n}", "text": f"Cercasi cuoca per la sede {n}."} for n in range(2, 12)))


@pytest.fixture(scope="session")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Italian campaign as a folder of its own, with few seeds and no ads."""
    return small_campaign(tmp_path_factory.mktemp("campaign") / "annunci")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, campaign: Path) -> Path:
    """A workspace as `init` and `import` leave it. Not to be changed: `cli` is on a copy."""
    folder = tmp_path_factory.mktemp("made") / "workspace"
    cli = Cli(folder)
    cli("init", folder, "--campaign", campaign, "--seed", 1)
    cli("import", write_jsonl(folder.parent / "ads.jsonl", *ADS))
    return folder


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, made: Path) -> Path:
    """The same with a model. Not to be changed: `cli_with_model` is on a copy."""
    folder = tmp_path_factory.mktemp("trained") / "workspace"
    shutil.copytree(made, folder)
    Cli(folder)("train")
    return folder


@pytest.fixture
def cli(made: Path, tmp_path: Path) -> Cli:
    """The command line on a copy of the made workspace."""
    return Cli(Path(shutil.copytree(made, tmp_path / "workspace")))


@pytest.fixture
def cli_with_model(trained: Path, tmp_path: Path) -> Cli:
    """The command line on a copy of the trained workspace."""
    return Cli(Path(shutil.copytree(trained, tmp_path / "workspace")))
