"""Kind 9: what the service says is true."""

from pathlib import Path

import pytest

from support.cli import Cli
from support.small import make_campaign, make_small_workspace


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    folder = tmp_path_factory.mktemp("so")
    campaign = make_campaign(folder / "campaign", "a", "b", multi=False)
    return make_small_workspace(folder / "workspace", campaign)


def test_nothing_is_running_before_a_service_runs(cli: Cli) -> None:
    """E3: status said that it was running."""
    headline = cli("status").splitlines()[0]
    assert "nothing runs" in headline
    assert not headline.endswith("running")


def test_what_the_terminal_cannot_show_is_replaced(tmp_path: Path) -> None:
    """S13: it was called a fault in biasloop."""
    campaign = make_campaign(tmp_path / "campaign", "a", "b", multi=False, title="Età ✓ 職")
    cli = make_small_workspace(tmp_path / "workspace", campaign)
    cli.environment["PYTHONIOENCODING"] = "ascii"
    done = cli.process("status", encoding="ascii")
    assert (done.returncode, done.stderr) == (0, "")
