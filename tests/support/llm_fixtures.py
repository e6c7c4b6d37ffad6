"""The tiny campaign, imported once and copied, beside a model that does what it is told."""

from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from biasloop.service.service import Biasloop
from biasloop.workspace.create import create_workspace
from support.llm_model import obedient
from support.llm_server import LlmServer, structured
from support.llm_workspaces import TINY, point_to


@pytest.fixture(scope="session")
def sown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with seeds and ads. Not to be changed."""
    folder = tmp_path_factory.mktemp("sown") / "workspace"
    create_workspace(folder, str(TINY), 0)
    biasloop = Biasloop(folder)
    for path in (*biasloop.campaign.seed_files, biasloop.campaign.ad_file):
        assert path is not None
        biasloop.import_file(path)
    biasloop.ledger.close()
    return folder


@pytest.fixture
def model() -> Iterator[LlmServer]:
    """The server."""
    with LlmServer(structured(obedient)).listening() as server:
        yield server


Open = Callable[..., Biasloop]


@pytest.fixture
def open_(sown: Path, tmp_path: Path, model: LlmServer) -> Iterator[Open]:
    """Opens a workspace with that model; settings of [llm] by name."""
    opened: list[Biasloop] = []
    folder = Path(copytree(sown, tmp_path / "workspace"))

    def open_workspace(**settings: Any) -> Biasloop:
        biasloop = Biasloop(point_to(folder, settings.pop("url", model.url), **settings))
        opened.append(biasloop)
        return biasloop

    yield open_workspace
    for biasloop in opened:
        biasloop.ledger.close()


@pytest.fixture
def biasloop(open_: Open) -> Biasloop:
    """A workspace with that model."""
    return open_()
