"""The tunings of a workspace, by the files that they left."""

import json
from pathlib import Path

import pandas as pd
import pytest

from biasloop.errors import WorkspaceError
from biasloop.service.exclusive import only_one
from biasloop.service.tunings import forget_pairs, read_cards, tunings_of_ad
from biasloop.workspace.layout import Layout


def write_tuning(folder: Path, tuning: str) -> None:
    folder.mkdir(parents=True)
    (folder / "card.json").write_text(json.dumps({"tuning": tuning}))
    pair = {"roots": ["ad-0", "ad-1"], "system": "", "prompt": "p", "chosen": "c", "rejected": "r"}
    pd.DataFrame([pair]).to_parquet(folder / "pairs.parquet")


def test_what_a_killed_tuning_left_is_no_tuning_but_is_blanked(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    leftover = layout.tunings / "t0010.00ff.tmp"
    for tuning in ("t0002", "t10000"):
        write_tuning(layout.tunings / tuning, tuning)
    write_tuning(leftover, "t0010")
    assert [card["tuning"] for card in read_cards(layout)] == ["t0002", "t10000"]
    assert tunings_of_ad(layout, "ad-1") == ["t0002", "t10000"]
    forget_pairs(layout, "ad-1")
    assert pd.read_parquet(leftover / "pairs.parquet")["chosen"].tolist() == [""]


def test_only_one_of_a_kind_runs_at_a_time(tmp_path: Path) -> None:
    lock = tmp_path / "tune.lock"
    with (
        only_one(lock, "first"),
        pytest.raises(WorkspaceError, match=r"^another is running$"),
        only_one(lock, "another is running"),
    ):
        pass
    with only_one(lock, "it was released"):
        pass
