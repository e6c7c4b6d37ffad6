"""A campaign folder as people write it, or wrote it for earlier versions."""

from pathlib import Path

import pytest

from biasloop.errors import CampaignError
from biasloop.workspace.campaign import read_campaign
from support.cli import small_campaign


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return small_campaign(tmp_path / "annunci")


def say(folder: Path, line: str) -> None:
    """Puts a line into the campaign's file, above its first section."""
    path = folder / "campaign.toml"
    path.write_text(f"{line}\n{path.read_text('utf-8')}", "utf-8")


def test_a_campaign_may_still_name_its_verdict_on_ads(folder: Path) -> None:
    without = read_campaign(folder).about
    say(folder, 'ad_verdict = "any"')
    assert read_campaign(folder).about == without


@pytest.mark.parametrize("line", ['ad_verdict = "all"', 'titel = "Annunci"'])
def test_what_a_campaign_cannot_say_is_named(folder: Path, line: str) -> None:
    say(folder, line)
    with pytest.raises(CampaignError, match=line.partition(" ")[0]):
        read_campaign(folder)
