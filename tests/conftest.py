"""Fixtures for everyone, and how tests are sorted into those of each lane of `make test`."""

import os

# Before anything imports numpy, and for child processes too: two processes that share two cores
# with two threads each wait for one another most of the time.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
# What commands print is as wide as they are told, and without colours, in whatever terminal.
os.environ.pop("COLUMNS", None)
os.environ["TERM"] = "dumb"

from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = [
    "support.chromium",
    "support.labelstudio_server",
    "support.postgres_server",
    "support.workspaces",
    "support.llm_fixtures",
    "support.trouble",
    "support.ledgers",
]

# A deadline is a timed assertion: on a busy machine it fails by chance.
settings.register_profile("biasloop", deadline=None)
settings.load_profile("biasloop")

TESTS = Path(__file__).parent
MARK_OF_FIXTURE = {"label_studio_server": "labelstudio", "chromium": "browser"}
FOLDERS_OF_MARK = {
    "labelstudio": ("labelstudio", "acceptance", "gateway"),
    "browser": ("web", "acceptance", "gateway"),
}
"""Where `make test-served` looks for the tests with a mark."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--heavy", action="store_true", help="run the tests marked heavy as well")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks the tests that need a server by the fixture they use, and skips the heavy ones."""
    for item in items:
        for fixture, mark in MARK_OF_FIXTURE.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(mark)
        folder = item.path.relative_to(TESTS).parts[0]
        for mark, folders in FOLDERS_OF_MARK.items():
            if item.get_closest_marker(mark) and folder not in folders:
                raise pytest.UsageError(f"{item.nodeid}: tests of {mark} belong in {folders}")
        if item.get_closest_marker("heavy") and not config.getoption("heavy"):
            item.add_marker(pytest.mark.skip(reason="heavy; `make test-heavy` runs it"))
