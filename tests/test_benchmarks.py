"""The benchmarks of the strategies run, and say what their documentation says, on small pools."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from biasloop.plugins.registry import Kind, names

ROOT = Path(__file__).parents[1]


def lines(*arguments: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", *arguments, "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_choosing_is_measured_beside_small_text() -> None:
    found = lines("benchmarks.select", "--items", "300")
    assert {line["strategy"] for line in found} == set(names(Kind.STRATEGY))
    for line in found:
        assert line["seconds"] > 0
        assert line["index_seconds"] == 0
        assert 0 <= line["extra_mb"] < 500
        assert line["same_picks"] in (None, 1)
    exact = {line["strategy"] for line in found if line["same_picks"]}
    assert exact == {"random", "breaking_ties", "entropy", "bald", "coreset"}
    assert all(line["small_text_seconds"] > 0 for line in found if line["same_picks"])


def test_rare_labels_are_counted() -> None:
    found = lines("benchmarks.rare", "--seeds", "2", "--items", "600", "--budget", "100")
    by_name = {line["strategy"]: line for line in found}
    assert by_name["random"]["times_random"] == [1, 1, 1]
    assert {"auto", "small-text CVIRS"} <= set(by_name)
    for line in found:
        for name in ("found", "fewest", "rare_f1", "common_f1", "rare_f1_early", "common_f1_early"):
            value, low, high = line[name]
            assert 0 <= low <= value <= high


@pytest.mark.parametrize("seed", [0, 1])
def test_what_is_planted(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks.planted import SHARES, WORDS, plant_sentences

    pool = plant_sentences(4_000, seed)
    assert np.abs(pool.labels.mean(axis=0) - SHARES).max() < 0.03
    again = plant_sentences(4_000, seed)
    np.testing.assert_array_equal(again.labels, pool.labels)
    np.testing.assert_array_equal(again.features.indices, pool.features.indices)
    # Positives hold cue words of their label, most others none.
    terms = pool.features.presence().toarray()
    cues = terms[:, WORDS:].reshape(len(pool), len(SHARES), -1).sum(axis=2)
    for j in range(len(SHARES)):
        has = pool.labels[:, j] == 1
        assert (cues[has, j] >= 2).mean() == pytest.approx(0.9, abs=0.08)
        assert (cues[~has, j] >= 1).mean() == pytest.approx(0.04, abs=0.02)


def test_planted_near_duplicates_are_found() -> None:
    (found,) = lines("benchmarks.near_duplicates", "--pool", "3000", "--new", "300")
    for hits, of in found["recall"].values():
        assert 0 <= of - hits <= 1
    brute = found["brute_force"]
    assert 0 <= brute["pairs"] - brute["found_of_them"] <= 2
    assert brute["found_beyond_them"] == 0
    assert brute["of"] == found["pool"]
    assert found["pairs"] == brute["found_of_them"] >= found["planted"] - 2 > 5


def test_what_is_called_poison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks import probation

    rows = [{"text": f"{i}", "label": "abc"[i % 3], "fine": f"{i % 9}"} for i in range(400)]
    (tmp_path / "trec.made.jsonl").write_text("\n".join(map(json.dumps, rows)))
    monkeypatch.setattr(probation, "DATA", tmp_path)
    drawn = {arm: probation.draw("trec.made", arm, 100, 0) for arm in ("good", "poison", "novel")}
    texts, labels, written = drawn["good"]
    assert written.sum() == 50
    assert [("abc"[j]) for j in labels.argmax(axis=1)] == [rows[int(t)]["label"] for t in texts]
    same, poisoned, _ = drawn["poison"]
    assert same == texts
    wrong = (poisoned != labels).any(axis=1)
    assert not wrong[~written].any()
    assert wrong.sum() == 15
    strange = [rows[int(text)]["fine"] for text in drawn["novel"][0]]
    assert not set(strange[:100]) & set(strange[100:])
