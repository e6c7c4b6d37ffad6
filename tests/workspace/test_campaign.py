"""Reading campaign folders, including those written for earlier versions."""

from pathlib import Path

import pytest

from biasloop.errors import CampaignError
from biasloop.workspace.campaign import read_campaign
from support.cli import small_campaign


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return small_campaign(tmp_path / "annunci")


def prepend_line(folder: Path, line: str) -> None:
    """Adds a line to campaign.toml, above its first section."""
    path = folder / "campaign.toml"
    path.write_text(f"{line}\n{path.read_text('utf-8')}", "utf-8")


def test_the_dropped_setting_ad_verdict_is_still_accepted(folder: Path) -> None:
    without = read_campaign(folder).about
    prepend_line(folder, 'ad_verdict = "any"')
    assert read_campaign(folder).about == without


@pytest.mark.parametrize("line", ['ad_verdict = "all"', 'titel = "Annunci"'])
def test_an_invalid_setting_is_named(folder: Path, line: str) -> None:
    prepend_line(folder, line)
    with pytest.raises(CampaignError, match=line.partition(" ")[0]):
        read_campaign(folder)
