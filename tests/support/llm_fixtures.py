"""A language model that does what it is told, and a workspace of the tiny campaign with it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from biasloop.service.service import Service
from support.llm_model import obedient
from support.llm_server import LlmServer, structured
from support.llm_workspaces import point_to


@pytest.fixture
def model() -> Iterator[LlmServer]:
    """The server."""
    with LlmServer(structured(obedient)).listening() as server:
        yield server


Open = Callable[..., Service]


@pytest.fixture
def open_(sown: Path, tmp_path: Path, model: LlmServer) -> Iterator[Open]:
    """Opens a workspace with that model; settings of [llm] by name."""
    opened: list[Service] = []
    folder = Path(copytree(sown, tmp_path / "workspace"))

    def open_workspace(**settings: Any) -> Service:
        service = Service(point_to(folder, settings.pop("url", model.url), **settings))
        opened.append(service)
        return service

    yield open_workspace
    for service in opened:
        service.ledger.close()


@pytest.fixture
def service(open_: Open) -> Service:
    """A workspace with that model."""
    return open_()
