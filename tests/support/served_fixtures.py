"""Workspaces that the tests copy, so that each is imported and trained once."""

from pathlib import Path

import pytest

from support.served import make_workspace, run_biasloop


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny campaign with its seeds and ads; no model."""
    return make_workspace(tmp_path_factory.mktemp("tiny") / "workspace")


@pytest.fixture(scope="session")
def tiny_trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny campaign with a model, so that every step has something to do."""
    folder = make_workspace(tmp_path_factory.mktemp("trained") / "workspace")
    run_biasloop(folder, "train")
    return folder
