"""A stored result counts only if it and the files that belong to it can be read."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.rounds.results import read_result

NAMES = ["result.json", "scores.npy", "verdicts.parquet", "made.jsonl", "model/head.npz"]


def outputs(folder: Path, result: object) -> list[Path]:
    return [folder / "model", *(folder / name for name in NAMES[1:-1])]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("job")
    (made / "model").mkdir()
    (made / "model" / "head.npz").write_bytes(b"arrays")
    np.save(made / "scores.npy", np.arange(40.0))
    pd.DataFrame({"item_id": ["a", "b"]}).to_parquet(made / "verdicts.parquet")
    (made / "made.jsonl").write_text('{"text": "uno"}\n{"text": "due"}\n')
    (made / "result.json").write_text(json.dumps({"thresholds": [0.5], "notes": []}))
    return made


@given(name=st.sampled_from(NAMES[:-1]), share=st.floats(0, 0.95))
def test_a_file_that_is_cut_or_gone_makes_the_result_none(
    folder: Path, name: str, share: float
) -> None:
    result = {"thresholds": [0.5], "notes": []}
    assert read_result(folder / "result.json", outputs) == result
    content = (folder / name).read_bytes()
    kept = content[: int(share * len(content))]
    try:
        (folder / name).write_bytes(kept)
        # Whole lines of a file of lines cannot be told from all of them.
        whole_lines = name == "made.jsonl" and kept.rstrip(b"\n") in (b"", b'{"text": "uno"}')
        expected = result if whole_lines else None
        assert read_result(folder / "result.json", outputs) == expected
        (folder / name).unlink()
        assert read_result(folder / "result.json", outputs) is None
    finally:
        (folder / name).write_bytes(content)


def test_an_empty_model_folder_is_none(folder: Path) -> None:
    (folder / "model" / "head.npz").rename(folder / "head.npz")
    assert read_result(folder / "result.json", outputs) is None
    (folder / "head.npz").rename(folder / "model" / "head.npz")
    assert read_result(folder / "result.json", outputs) is not None
