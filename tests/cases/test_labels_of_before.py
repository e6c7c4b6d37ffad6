"""Kind 1: today's list of labels applied to what was made under another one."""

from pathlib import Path

import pandas as pd
import pytest

from support.cli import Cli, write_jsonl
from support.small import make_campaign, make_small_workspace

CLASSES = ("reclamo", "lode", "domanda")


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """Thirty answers of people with one of three classes each, the last of which was renamed
    afterwards."""
    folder = tmp_path_factory.mktemp("renamed")
    rows = [
        {"id": str(i), "text": f"{CLASSES[i % 3]} {i}", "label": CLASSES[i % 3]} for i in range(30)
    ]
    campaign = make_campaign(folder / "campaign", *CLASSES, multi=False)
    cli = make_small_workspace(
        folder / "workspace", campaign, [write_jsonl(folder / "rows.jsonl", *rows)]
    )
    make_campaign(cli.workspace / "campaign", "reclamo", "lode", "quesito", multi=False)
    return cli


def test_a_vote_for_a_class_that_is_gone_is_no_vote_for_another(
    answered: Cli, tmp_path: Path
) -> None:
    """Case 04: it was one for the first class of the list."""
    answered("export", "--format", "csv", "--to", tmp_path / "out")
    items, votes = (pd.read_csv(tmp_path / "out" / f"{name}.csv") for name in ("items", "votes"))
    assert items["labels"].value_counts().to_dict() == {"reclamo": 10, "lode": 10}
    assert votes["labels"].value_counts().to_dict() == dict.fromkeys(CLASSES, 10)
