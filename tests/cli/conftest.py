"""Workspaces of a small Italian campaign, made once and copied, each on its own project."""

import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from cli.support import Cli, write_jsonl
from labelstudio_server import Server

REPOSITORY = Path(__file__).parents[2]
SEEDS = 80

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
    folder = tmp_path_factory.mktemp("campaign") / "annunci"
    shutil.copytree(REPOSITORY / "annotation_config" / "job_ads_it", folder)
    (folder / "seeds").mkdir()
    lines = (REPOSITORY / "seeds" / "job_ads_it" / "a_first.jsonl").read_text("utf-8").split("\n")
    (folder / "seeds" / "few.jsonl").write_text("\n".join(lines[:SEEDS]) + "\n", "utf-8")
    return folder


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


@pytest.fixture
def on_server(label_studio_server: Server) -> Callable[[Cli], Cli]:
    """Points a workspace to the real Label Studio, to a project of its own."""

    def point(cli: Cli) -> Cli:
        about = cli.workspace / "campaign" / "campaign.toml"
        lines = [
            f'title = "Prova {uuid4().hex[:12]}"' if line.startswith("title = ") else line
            for line in about.read_text("utf-8").splitlines()
        ]
        about.write_text("\n".join(lines), "utf-8")
        return Cli(
            cli.workspace,
            BIASLOOP_LABELSTUDIO__URL=label_studio_server.url,
            BIASLOOP_LABEL_STUDIO_TOKEN=label_studio_server.token,
        )

    return point
