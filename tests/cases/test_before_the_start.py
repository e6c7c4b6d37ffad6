"""Kind 8: what another program would refuse later is refused at the start."""

from pathlib import Path

import pytest

from support.cli import Cli
from support.small import make_campaign, make_small_workspace


@pytest.mark.parametrize("title", ["IT", "x" * 51])
def test_a_title_that_label_studio_does_not_take_is_refused(tmp_path: Path, title: str) -> None:
    """Case 24: every poll failed, and the message did not name the file."""
    campaign = make_campaign(tmp_path / "campaign", "a", "b", multi=False, title=title)
    done = Cli(tmp_path / "workspace").run("init", tmp_path / "workspace", "--campaign", campaign)
    assert done.returncode != 0, "it was accepted"
    assert "campaign.toml" in done.stderr
    assert "title" in done.stderr


def test_choices_that_cannot_say_none_are_refused(tmp_path: Path) -> None:
    """Case 06: a blank answer was deleted and asked for again, forever."""
    campaign = make_campaign(tmp_path / "campaign", "tossico", "insulto")
    done = Cli(tmp_path / "workspace").run("init", tmp_path / "workspace", "--campaign", campaign)
    assert done.returncode != 0, "it was accepted"
    assert "none_label" in done.stderr


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    folder = tmp_path_factory.mktemp("start")
    campaign = make_campaign(folder / "campaign", "a", "b", multi=False)
    return make_small_workspace(folder / "workspace", campaign)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("STRATEGY__NAME", "nonesuch"),
        ("CLASSIFIER__NAME", "nonesuch"),
        ("CLASSIFIER__OPTIONS", '{"nonesuch": 1}'),
        ("EXPANDER__NAMES", '["nonesuch"]'),
    ],
)
def test_doctor_builds_what_the_settings_name(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, setting: str, value: str
) -> None:
    """E4: doctor found nothing wrong with the settings, and the training failed."""
    monkeypatch.setitem(cli.environment, f"BIASLOOP_{setting}", value)
    report = cli.run("doctor")
    assert [line for line in report.stdout.splitlines() if "FIX" in line and "nonesuch" in line]
