"""Workspaces, each made once a run and copied by the tests: empty ones of any campaign, those of a
small Italian campaign for the command line, and those of the tiny campaign for everything else."""

import shutil
from pathlib import Path
from typing import Protocol

import pytest

from biasloop.service.service import Service
from biasloop.workspace.create import create_workspace
from support.cli import Cli, small_campaign, write_jsonl
from support.served import TINY, make_workspace, run_biasloop

AD = {
    "id": "ad-1",
    "title": "Barista",
    "source": "prova",
    "text": "🙂 Cerchiamo un barista a Lecco.\n\nOrario serale. Età massima: 30 anni.\n- Perché?",
}
ADS = (AD, *({"id": f"ad-{n}", "text": f"Cercasi cuoca per la sede {n}."} for n in range(2, 12)))


class CopyBare(Protocol):
    """Puts an empty workspace into a new folder, whose path it returns."""

    def __call__(self, folder: Path, campaign: str, seed: int | None = None) -> Path: ...


@pytest.fixture(scope="session")
def copy_bare(tmp_path_factory: pytest.TempPathFactory) -> CopyBare:
    """Empty workspaces of a campaign, by its name or folder, with a ledger at the newest schema."""
    made: dict[tuple[str, int | None], Path] = {}

    def copy(folder: Path, campaign: str, seed: int | None = None) -> Path:
        if (campaign, seed) not in made:
            first = tmp_path_factory.mktemp("bare") / "workspace"
            create_workspace(first, campaign, seed)
            service = Service(first)
            assert service.ledger
            service.close()
            made[campaign, seed] = first
        return Path(shutil.copytree(made[campaign, seed], folder))

    return copy


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


@pytest.fixture(scope="session")
def sown(tmp_path_factory: pytest.TempPathFactory, copy_bare: CopyBare) -> Path:
    """The tiny campaign with its seeds and ads, before any guideline is in force. Not to be
    changed."""
    folder = copy_bare(tmp_path_factory.mktemp("sown") / "workspace", str(TINY), 0)
    service = Service(folder)
    Cli(folder)("import", *service.campaign.seed_files, service.campaign.ad_file)
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny campaign with its seeds and ads; no model. Not to be changed."""
    return make_workspace(tmp_path_factory.mktemp("tiny") / "workspace")


@pytest.fixture(scope="session")
def tiny_trained(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Path:
    """The same with a model, so that every step has something to do. Not to be changed."""
    folder = Path(shutil.copytree(tiny, tmp_path_factory.mktemp("trained") / "workspace"))
    run_biasloop(folder, "train")
    return folder
