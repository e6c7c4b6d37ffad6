"""The wheel in an environment of its own: what `pip install` gives works without the repository.

Dependencies, gigabytes of them, come from the environment of the tests; biasloop comes from the
wheel alone.
"""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from support.cli import REPOSITORY

pytestmark = pytest.mark.heavy


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """What a command prints that knows nothing of the repository. It must end well."""
    ours = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ours and not name.startswith("BIASLOOP_")
    }
    done = subprocess.run(
        command, env=environment, cwd=cwd, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh virtual environment with the wheel of this repository."""
    folder = tmp_path_factory.mktemp("wheel")
    environment = folder / "venv"
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", folder, REPOSITORY)
    (wheel,) = folder.glob("biasloop-*.whl")
    run(sys.executable, "-m", "venv", environment)
    run(environment / "bin" / "pip", "install", "--no-deps", wheel)
    # A path in a .pth file comes last, and the .pth files that lie there are not read: among them
    # is the one by which the tests find the repository.
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    return environment


def test_everything_comes_from_the_wheel(environment: Path, tmp_path: Path) -> None:
    statement = (
        "import json, sys, biasloop; from biasloop.workspace.campaign import shipped; "
        "print(json.dumps([biasloop.__file__, *map(str, shipped('job_ads_it')), *sys.path]))"
    )
    output = run(environment / "bin" / "python", "-c", statement, cwd=tmp_path)
    package, campaign, seeds, *search = map(Path, json.loads(output))
    for place in (package, campaign, seeds):
        assert place.is_relative_to(environment)
        assert place.exists()
    assert not any(path.is_relative_to(REPOSITORY / "src") for path in search)
    web = package.parent / "web"
    for folder in ("templates", "static"):
        shipped, ours = (
            {file.name for file in (place / folder).iterdir()}
            for place in (web, REPOSITORY / "src" / "biasloop" / "web")
        )
        assert shipped == ours


def test_a_workspace_is_made_trained_and_used(environment: Path, tmp_path: Path) -> None:
    biasloop, workspace = environment / "bin" / "biasloop", tmp_path / "workspace"
    run(biasloop, "init", workspace, "--campaign", "job_ads_it", "--example-ads", cwd=tmp_path)
    status = json.loads(run(biasloop, "status", "--json", cwd=workspace))
    assert status["pool"]["ads"] >= 40
    assert status["labels"]["seed"] >= 100
    trained = json.loads(run(biasloop, "train", "--json", cwd=workspace))
    (verdict,) = run(biasloop, "classify", "Cerchiamo un barista.", cwd=workspace).splitlines()
    assert "gender" in json.loads(verdict)["labels"]
    status = json.loads(run(biasloop, "status", "--json", cwd=workspace))
    assert status["model_in_service"] == trained["model"]
