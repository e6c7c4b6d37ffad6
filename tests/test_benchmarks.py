"""The benchmarks of the strategies run, and say what their documentation says, on small pools."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from biasloop.domain.label import Scheme
from biasloop.plugins.classifiers.deep.sentence_encoder import SentenceEncoder
from biasloop.plugins.classifiers.embedding import Embedding
from biasloop.plugins.classifiers.options import EmbeddingOptions, TransformerOptions
from biasloop.plugins.classifiers.transformer import Transformer
from biasloop.plugins.registry import Kind, names
from biasloop.simulate.gold import Gold, Texts
from biasloop.simulate.run import Encoded, Setup, simulate
from biasloop.workspace.seed_check import seed_rows
from support.sentences import training
from support.tiny_checkpoint import make_encoder

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


def test_the_earlier_embedding_is_the_last_of_the_layers_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks.rival import EARLIER, EARLIER_STRENGTH, run_arm

    texts = [f"{word} numero {n}" for n in range(20) for word in ("mela", "chiave")]
    tiny = make_encoder(tmp_path / "tiny", texts)
    labels = np.tile(np.eye(2, dtype=np.int8), (20, 1))
    part = Texts(tuple(texts), labels)
    gold = Gold(Scheme(("frutta", "ferro"), multi=False), part, part)
    setup = Setup("embedding", {"model": str(tiny)}, batch=10, budget=20)
    encoder = Embedding(EmbeddingOptions(model=str(tiny))).make_encoder(texts)
    rows = encoder.encode(texts)
    earlier = SentenceEncoder(encoder.states.pretrained, 256, "last")
    expected = simulate(
        gold,
        replace(setup, options=setup.options | {"strength": EARLIER_STRENGTH}),
        "random",
        0,
        Encoded(earlier, *[earlier.encode(texts)] * 2),
    )
    run = run_arm(gold, setup, EARLIER, 0, Encoded(encoder, rows, rows))
    np.testing.assert_array_equal(run.asked, expected.asked)
    assert (run.flags == expected.flags).mean() > 0.95  # rows of 16 bits


def test_figures_of_real_sentences_are_weighted_by_their_chances(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks.real_sentences import figures

    truth, flags = np.array([1.0, 1, 0, 0]), np.array([1.0, 0, 1, 0])
    rows = [{"ad": f"ad {n}", "chance": chance} for n, chance in enumerate((1, 0.5, 0.25, 1))]
    cells = figures(truth, flags, rows)
    assert cells["n"] == 2
    found = {
        kind: [cells[kind][name].value for name in ("precision", "recall", "f1")]
        for kind in ("enriched", "weighted")
    }
    assert found["enriched"] == [0.5, 0.5, 0.5]
    np.testing.assert_allclose(found["weighted"], [1 / 5, 1 / 3, 2 / 8])


def test_nobody_learns_from_the_blind_quadruples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks.quadruples import FORMS, QUADRUPLES, measure

    rows = [json.loads(line) for line in QUADRUPLES.read_text("utf-8").splitlines()]
    seeds = {row["text"] for _, row in seed_rows((ROOT / "seeds" / "job_ads_it").glob("*.jsonl"))}
    assert not seeds & {row[form] for row in rows for form in FORMS}
    right = list(FORMS.values()) * len(rows)
    assert measure(rows, right)["consistent"].startswith("1.00")
    figures = measure(rows, [not right[0], *right[1:]])
    assert (figures["long"][0] + figures["short"][0], len(rows)) == (39, 40)


def test_the_parts_of_a_fine_tuned_model_are_measured_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks import transformer_mean
    from benchmarks.transformer_mean import LINEAR, MEAN, TUNED

    data = training()
    tiny = make_encoder(tmp_path / "tiny", data.texts)
    options = {"model": str(tiny), "lr": 0.02, "epochs": 1, "min_steps": 40, "folds": 2}
    sides = transformer_mean.train(data, data.texts, 3, options)
    model = Transformer(TransformerOptions(**options))
    model.fit(data, seed=3)
    flags = model.predict_proba(data.texts) >= model.thresholds
    np.testing.assert_array_equal(sides[MEAN][1], flags)
    part = model.trained.linear
    assert part is not None
    joined = part.mean.scores([sides[TUNED][0], sides[LINEAR][0]])
    np.testing.assert_allclose(joined, sides[MEAN][0])
    found = transformer_mean.intervals([(data.labels, sides)] * 2, resamples=20)
    assert set(found) == {MEAN, TUNED, LINEAR, f"gain over {TUNED}", f"gain over {LINEAR}"}
    assert all(low <= value <= high for cells in found.values() for value, low, high in cells)


def test_a_bias_is_tuned_away_and_a_placebo_leaves_it() -> None:
    (figures,) = lines("benchmarks.tuning", "--seeds", "1")
    assert figures["base"][0]["biased"] == figures["placebo of SFT"][0]["biased"] == 1
    for tuned in ("SFT", "SFT, then DPO"):
        assert figures[tuned][0]["biased"] <= 0.1
        assert figures[tuned][0]["ends"] >= 0.95
        assert figures[tuned][0]["pairs"] >= 0.9
