"""Tests of the fine-tuned classifier beyond the contract, on models with random weights."""

import json
import random
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import peft
import pytest
import safetensors
import torch
import transformers
from safetensors.torch import save_file

from biasloop.domain.item import Ad, real_item
from biasloop.domain.learning import PoolSample
from biasloop.domain.split import Split
from biasloop.errors import ClassifierError
from biasloop.plugins.classifiers.deep import hardware
from biasloop.plugins.classifiers.deep.network import ADAPTER, MODEL
from biasloop.plugins.classifiers.deep.trained import FILE
from biasloop.plugins.classifiers.mixed.linear_part import LINEAR
from biasloop.plugins.classifiers.options import TfidfOptions, TransformerOptions
from biasloop.plugins.classifiers.tfidf import Tfidf
from biasloop.plugins.classifiers.transformer import Transformer
from biasloop.ports import no_checkpoint
from biasloop.rounds.child import job_to_json
from biasloop.rounds.steps.score.handover import ScoreJob
from biasloop.rounds.steps.score.job import score as score_job
from biasloop.rounds.steps.train.data import columns
from biasloop.rounds.steps.train.handover import TrainJob
from biasloop.store.pool import ArrowPool
from support.sentences import rows, training
from support.tiny_checkpoint import make_decoder, make_encoder, make_multimodal

QUICK = {"epochs": 4, "min_steps": 1, "batch_rows": 8, "folds": 2}
ITALIAN = Path(__file__).parents[3] / "annotation_config" / "job_ads_it" / "counterfactual"
LR = {"lora": 0.01, "full": 0.003}
UNSEEN = ["Una mela in officina", "ə * /a", "\ud800 \x00 \n", "", "Prendi la sega " * 60]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return make_encoder(tmp_path_factory.mktemp("encoder"), training().texts)


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    return make_decoder(tmp_path_factory.mktemp("decoder"), training().texts)


@pytest.fixture(scope="module")
def multimodal(tmp_path_factory):
    return make_multimodal(tmp_path_factory.mktemp("multimodal"), training().texts)


def make(model, tuning="lora", **options):
    options = QUICK | {"model": str(model), "tuning": tuning, "lr": LR[tuning]} | options
    return Transformer(TransformerOptions(**options))


@pytest.fixture(scope="module")
def fitted(encoder):
    classifier = make(encoder)
    classifier.fit(training(), seed=1)
    return classifier


@pytest.mark.parametrize("tuning", ["lora", "full"])
@pytest.mark.parametrize("kind", ["encoder", "decoder", "multimodal"])
def test_encoders_and_decoders_learn_and_are_read_back(kind, tuning, request, tmp_path):
    classifier = make(request.getfixturevalue(kind), tuning)
    data = training()
    report = classifier.fit(data, seed=1)
    assert report.notes == ()
    yes = data.labels == 1
    assert ((report.oof >= report.thresholds) == yes).mean() > 0.95
    classifier.save(tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    fine_tuned = [path for path in files if not path.is_relative_to(tmp_path / LINEAR)]
    assert {path.suffix for path in fine_tuned} == {".json", ".safetensors"}
    loaded = Transformer.load(tmp_path)
    needs = classifier.offers
    before, after = classifier.score(UNSEEN, needs), loaded.score(UNSEEN, needs)
    for name in needs:
        np.testing.assert_array_equal(before[name], after[name])


def test_only_adapters_and_head_are_trained_and_saved(encoder, fitted, tmp_path):
    fitted.save(tmp_path)
    assert not (tmp_path / MODEL).exists()
    base = transformers.AutoModel.from_pretrained(encoder)
    before = {name: tensor.clone() for name, tensor in base.state_dict().items()}
    with pytest.warns(FutureWarning):  # peft calls what transformers renamed
        adapted = peft.PeftModel.from_pretrained(base, tmp_path / ADAPTER)
    merged = adapted.merge_and_unload().state_dict()
    changed = {name for name, tensor in merged.items() if not torch.equal(tensor, before[name])}
    assert changed == {
        name
        for name in before
        if name.endswith("weight") and "Norm" not in name and "layer" in name
    }


def test_a_model_trained_whole_is_a_checkpoint_itself(encoder, tmp_path):
    classifier = make(encoder, "full", min_steps=1, epochs=1)
    classifier.fit(training(), seed=1)
    classifier.save(tmp_path)
    make(tmp_path / MODEL).fit(training(), seed=1)


def test_targets_of_the_adapters_can_be_named(encoder, tmp_path):
    classifier = make(encoder, targets=["query", "value"], rank=2)
    classifier.fit(training(), seed=1)
    classifier.save(tmp_path)
    config = json.loads((tmp_path / ADAPTER / "adapter_config.json").read_text())
    assert set(config["target_modules"]) == {"query", "value"}
    assert config["r"] == 2


def test_passes_differ_by_dropout_alone(fitted):
    texts = training().texts
    scores = fitted.score(texts, fitted.offers)
    assert scores["passes"].shape == (len(texts), 8, 2)
    assert scores["embedding"].shape == (len(texts), 32)
    assert all(array.dtype == np.float32 for array in scores.values())
    assert (scores["passes"].std(axis=1) > 0).any()
    assert np.corrcoef(scores["passes"].mean(axis=1).ravel(), scores["proba"].ravel())[0, 1] > 0.95
    np.testing.assert_array_equal(
        scores["passes"], fitted.score(texts, frozenset({"passes"}))["passes"]
    )
    np.testing.assert_array_equal(scores["proba"], fitted.predict_proba(texts))


def test_embeddings_lie_close_where_texts_mean_the_same(fitted):
    texts = ["C'è mela rossa in cantina.", "C'è uva nera al mercato.", "Prendi sega lunga a casa!"]
    fruit, other_fruit, tool = fitted.score(texts, frozenset({"embedding"}))["embedding"]
    assert np.linalg.norm(fruit - other_fruit) < np.linalg.norm(fruit - tool)


def test_what_it_does_not_offer_is_refused(fitted):
    with pytest.raises(ClassifierError, match="cannot give gradients"):
        fitted.score(["mela"], frozenset({"gradients", "proba"}))


def test_evidence_is_the_word_that_was_learned(encoder):
    classifier = make(encoder)
    classifier.fit(training(), seed=1)
    text = "Prendi martello pesante al mercato!"
    span = classifier.evidence(text, ["tool"])[0]
    assert {"martello", "pesante"} & set(text[span.start : span.end].split())


def test_no_random_state_is_left_changed(encoder, tmp_path):
    def states():
        numbers = (random.getstate(), np.random.get_state()[1].tolist())
        return *numbers, torch.get_rng_state().tolist()

    before = states()
    classifier = make(encoder, "full")
    classifier.fit(training(), seed=1)
    classifier.score(["mela"], classifier.offers)
    classifier.save(tmp_path)
    Transformer.load(tmp_path)
    assert states() == before


def test_other_seeds_make_other_models(encoder):
    first, second = make(encoder), make(encoder)
    first.fit(training(), seed=1)
    second.fit(training(), seed=2)
    texts = ["mela in officina"]
    assert not np.array_equal(first.predict_proba(texts), second.predict_proba(texts))


def test_a_collapsed_training_is_repeated_and_reported(encoder):
    classifier = make(encoder, lr=2e-3, epochs=1, min_steps=6)
    data = training()
    report = classifier.fit(data, seed=1)
    assert any("all rows: the training collapsed" in note for note in report.notes)
    assert all("learned at" in note for note in report.notes)
    right = (classifier.predict_proba(data.texts) >= classifier.thresholds) == data.labels
    assert right.mean() > 0.9


def test_a_model_that_never_learns_is_reported(encoder):
    report = make(encoder, lr=30.0, epochs=1, min_steps=2).fit(training(), seed=1)
    assert any("gave up; change lr or epochs" in note for note in report.notes)
    assert np.isfinite(report.oof).all()


# --- the linear part --------------------------------------------------------------------------


def test_scores_are_the_mean_of_both_models(fitted):
    texts = training().texts
    trained = fitted.trained
    alone, linear = replace(trained, linear=None), trained.linear
    slopes, offset = linear.mean.slopes, linear.mean.offset
    expected = slopes[0] * alone.scores_and_states(texts)[0] + offset
    expected += slopes[1] * linear.classifier.raw_scores(texts)
    np.testing.assert_allclose(trained.scores_and_states(texts)[0], expected)
    assert (slopes > 0).all()


def test_a_model_that_learned_nothing_decides_nothing(encoder, monkeypatch):
    # At this learning rate it depends on the rounding whether anything is learned.
    monkeypatch.setattr(hardware, "dtype", lambda device: torch.float32)
    data = training()
    classifier = make(encoder, lr=30.0, epochs=1, min_steps=2)
    report = classifier.fit(data, seed=1)
    assert ((report.oof >= report.thresholds) == data.labels).mean() > 0.95
    proba = classifier.predict_proba(data.texts)
    assert ((proba >= classifier.thresholds) == data.labels).mean() > 0.95


def test_the_linear_part_is_a_model_of_its_own_for_the_cascade(fitted, tmp_path):
    fitted.save(tmp_path)
    expected = Tfidf(TfidfOptions(folds=QUICK["folds"]))
    expected.fit(training(), seed=1)
    linear = Tfidf.load(tmp_path / LINEAR)
    np.testing.assert_array_equal(linear.predict_proba(UNSEEN), expected.predict_proba(UNSEEN))
    np.testing.assert_array_equal(linear.thresholds, expected.thresholds)


def test_language_data_reach_the_linear_part(encoder, tmp_path):
    classifier = make(encoder, language=ITALIAN, min_steps=1, epochs=1)
    classifier.fit(training(), seed=1)
    classifier.save(tmp_path)
    loaded = Transformer.load(tmp_path)
    assert loaded.trained.linear.classifier.encoder.vocabularies["grammar"]
    np.testing.assert_array_equal(loaded.predict_proba(UNSEEN), classifier.predict_proba(UNSEEN))


def test_a_model_that_an_earlier_version_saved_decides_alone(fitted, tmp_path):
    fitted.save(tmp_path)
    state = json.loads((tmp_path / FILE).read_text("utf-8"))
    del state["mean"]
    names = [name for name in state["files"] if not name.startswith(LINEAR)]
    state |= {"format": 1, "files": {name: state["files"][name] for name in names}}
    del state["options"]["language"]
    (tmp_path / FILE).write_text(json.dumps(state), "utf-8")
    alone = replace(fitted.trained, linear=None)
    loaded = Transformer.load(tmp_path)  # the folder of its cascade's linear model is no part of it
    np.testing.assert_array_equal(
        loaded.predict_proba(UNSEEN), alone.proba(alone.scores_and_states(UNSEEN)[0])
    )
    (tmp_path / "again").mkdir()
    loaded.save(tmp_path / "again")
    again = Transformer.load(tmp_path / "again")
    np.testing.assert_array_equal(again.predict_proba(UNSEEN), loaded.predict_proba(UNSEEN))


# --- resuming ---------------------------------------------------------------------------------


class Killed(Exception):
    pass


def killed_after(calls):
    """A checkpoint that can be called that often before it ends the work."""
    remaining = iter(range(calls))

    def checkpoint():
        if next(remaining, None) is None:
            raise Killed

    return checkpoint


def killed_once_there(file):
    """A checkpoint that ends the work as soon as that file exists."""

    def checkpoint():
        if file.exists():
            raise Killed

    return checkpoint


def test_an_interrupted_training_ends_with_the_same_model(encoder, tmp_path):
    whole = make(encoder)
    expected = whole.fit(training(), seed=1)
    resumed = make(encoder)
    for calls in (3, 20, 25, 30, 12):  # in the first epoch, both folds, the last training
        with pytest.raises(Killed):
            resumed.fit(training(), seed=1, checkpoint=killed_after(calls), work=tmp_path)
    report = resumed.fit(training(), seed=1, work=tmp_path)
    np.testing.assert_array_equal(report.oof, expected.oof)
    assert report.notes == expected.notes
    np.testing.assert_array_equal(resumed.predict_proba(UNSEEN), whole.predict_proba(UNSEEN))


def test_finished_folds_and_epochs_are_not_repeated(encoder, tmp_path):
    def calls(work):
        count = []
        make(encoder).fit(training(), seed=1, checkpoint=lambda: count.append(1), work=work)
        return len(count)

    first, second = calls(tmp_path), calls(tmp_path)
    assert second < first / 4


def test_nothing_is_resumed_on_other_data(encoder, tmp_path):
    make(encoder).fit(training(), seed=1, work=tmp_path)
    data = training()
    fewer = rows(data, slice(0, 60))
    expected = make(encoder).fit(fewer, seed=1)
    report = make(encoder).fit(fewer, seed=1, work=tmp_path)
    np.testing.assert_array_equal(report.oof, expected.oof)
    other_seed = make(encoder).fit(data, seed=2, work=tmp_path)
    np.testing.assert_array_equal(other_seed.oof, make(encoder).fit(data, seed=2).oof)


def cut_at_random(folder, other):
    rng = random.Random(7)
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[: rng.randrange(path.stat().st_size)])


def emptied(folder, other):
    for path in folder.iterdir():
        path.write_bytes(b"")


def of_another_training(folder, other):
    """Files of the same names and shapes."""
    for path in folder.iterdir():
        shutil.copy(other / path.name, path)


def of_other_shapes(folder, other):
    for path in folder.glob("*.json"):
        report = json.loads(path.read_text("utf-8"))
        path.write_text(json.dumps(report | {"scores": [row[:1] for row in report["scores"]]}))
    for path in folder.glob("*.safetensors"):
        with safetensors.safe_open(path, framework="pt") as saved:
            tensors = {name: saved.get_tensor(name) for name in saved.keys()}  # noqa: SIM118
            metadata = saved.metadata()
        name = next(name for name in tensors if name.startswith("exp_avg_sq "))
        save_file(tensors | {name: torch.zeros(3)}, path, metadata)


def without_numbers(folder, other):
    for path in folder.glob("*.json"):
        report = json.loads(path.read_text("utf-8"))
        report["scores"][0][0] = float("nan")
        path.write_text(json.dumps(report))
    for path in folder.glob("*.safetensors"):
        path.write_bytes(b"[]")


@pytest.mark.parametrize(
    "damage", [cut_at_random, emptied, of_another_training, of_other_shapes, without_numbers]
)
def test_what_an_interrupted_training_left_damaged_is_made_again(damage, encoder, tmp_path):
    expected = make(encoder).fit(training(), seed=1, work=tmp_path / "one")
    make(encoder).fit(training(), seed=2, work=tmp_path / "other")
    [folder], [other] = ((tmp_path / name).iterdir() for name in ("one", "other"))
    damage(folder, other)
    report = make(encoder).fit(training(), seed=1, work=tmp_path / "one")
    np.testing.assert_array_equal(report.oof, expected.oof)
    assert report.notes == expected.notes


def test_random_labels_fit_it_to_the_pool(encoder, tmp_path):
    data = training()
    neither = (data.labels == 0).all(axis=1)
    random = neither | (np.arange(len(data.texts)) < 12)
    pool = PoolSample([text for text, rare in zip(data.texts, neither, strict=True) if rare])
    model, without = make(encoder), make(encoder)
    report = model.fit(replace(data, random=random, pool=pool), seed=1)
    without.fit(data, seed=1)
    assert model.predict_proba(data.texts).mean() < without.predict_proba(data.texts).mean()
    model.save(tmp_path)
    loaded = Transformer.load(tmp_path)
    np.testing.assert_array_equal(loaded.thresholds, report.thresholds)
    proba = loaded.predict_proba(data.texts)
    np.testing.assert_allclose(proba, model.predict_proba(data.texts), atol=1e-6)


def job_folder(folder, options):
    data = training()
    frame = pd.DataFrame({"text": data.texts, "weight": data.weights, "fold": data.roots})
    frame["source"], frame["random"] = "human", False
    frame[columns(data.label_names)] = data.labels
    folder.mkdir()
    frame.to_parquet(folder / "data.parquet")
    pd.DataFrame({"row": np.empty(0, np.int64)}).to_parquet(folder / "sample.parquet")
    job = TrainJob(
        classifier="transformer",
        options=options,
        labels=data.label_names,
        multi=True,
        seed=1,
        pool=folder / "pool",
        features=folder / "features",
        linear={},
    )
    (folder / "job.json").write_text(job_to_json(job))
    return folder


def child(folder):
    return subprocess.Popen(
        [sys.executable, "-m", "biasloop.rounds.jobs", str(folder)], stdin=subprocess.PIPE
    )


def killed_when(folder, pattern):
    """Runs the job and kills it (-9) as soon as there is a file of that name."""
    process = child(folder)
    try:
        while not list(folder.glob(f"training/*/{pattern}")):
            assert process.poll() is None, "the job ended before it could be killed"
            time.sleep(0.002)
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
    assert not (folder / "result.json").exists()


def test_a_killed_job_ends_with_the_same_model(encoder, tmp_path):
    classifier = make(encoder, epochs=12)
    expected = classifier.fit(training(), seed=1)
    folder = job_folder(tmp_path / "job", classifier.options.model_dump())
    killed_when(folder, "all rows attempt 0.safetensors")
    assert len(list(folder.glob("training/*/fold ?.json"))) == 2
    process = child(folder)
    process.wait()
    process.stdin.close()
    assert process.returncode == 0
    np.testing.assert_array_equal(np.load(folder / "oof.npy"), expected.oof)
    loaded = Transformer.load(folder / "model")
    np.testing.assert_array_equal(loaded.predict_proba(UNSEEN), classifier.predict_proba(UNSEEN))
    assert (folder / "model" / LINEAR / "head.npz").exists()
    assert not (folder / "training").exists()


def test_an_interrupted_scoring_goes_on_after_the_last_shard(fitted, tmp_path):
    (tmp_path / "model").mkdir()
    fitted.save(tmp_path / "model")
    pool = ArrowPool(tmp_path / "pool")
    texts = training().texts[:40]
    for begin in (0, 20):  # two shards
        ads = [Ad(f"ad-{begin}-{i}", text) for i, text in enumerate(texts[begin : begin + 20])]
        pool.append([real_item(ad, 0, len(ad.text), Split.TRAIN) for ad in ads], ads)
    rows = pd.DataFrame({"row": range(40), "always": False})
    rows.to_parquet(tmp_path / "candidates.parquet")
    job = ScoreJob(
        classifier="transformer",
        model=tmp_path / "model",
        pool=tmp_path / "pool",
        pool_rows=40,
        features=tmp_path / "features",
        needs=("embedding", "passes", "proba"),
        multi=True,
        cascade=1000,
        seed=0,
        out=tmp_path / "scores",
    )
    first = tmp_path / "scores" / "000000.passes.npy"
    with pytest.raises(Killed):
        score_job(tmp_path, job, killed_once_there(first))
    files = [f"00000{shard}.{name}.npy" for shard in (0, 1) for name in job.needs]
    assert score_job(tmp_path, job, no_checkpoint) == {"scored": 20, "files": files}
    expected = fitted.score(texts[:20], fitted.offers), fitted.score(texts[20:], fitted.offers)
    for shard, arrays in enumerate(expected):
        for name, array in arrays.items():
            saved = np.load(tmp_path / "scores" / f"{shard:06d}.{name}.npy")
            np.testing.assert_array_equal(saved, array)


# --- the pretrained model ---------------------------------------------------------------------


def test_a_pretrained_model_that_went_away_or_changed_is_named(encoder, tmp_path):
    base = shutil.copytree(encoder, tmp_path / "base")
    classifier = make(base)
    classifier.fit(training(), seed=1)
    (tmp_path / "saved").mkdir()
    classifier.save(tmp_path / "saved")
    config = base / "config.json"
    original = config.read_text()
    config.write_text(original + " ")
    with pytest.raises(ClassifierError, match="base is no longer the pretrained model"):
        Transformer.load(tmp_path / "saved")
    config.write_text(original)
    Transformer.load(tmp_path / "saved")
    shutil.rmtree(base)
    with pytest.raises(ClassifierError, match=r"there is no folder .*base"):
        Transformer.load(tmp_path / "saved")


def test_a_saved_model_that_scores_otherwise_is_refused(encoder, tmp_path):
    classifier = make(encoder)
    classifier.fit(training(), seed=1)
    with torch.no_grad():  # as if the head had not been saved
        classifier.trained.network.head.weight.add_(1)
    with pytest.raises(ClassifierError, match="does not score as the trained one"):
        classifier.save(tmp_path)
    with pytest.raises(ClassifierError):
        Transformer.load(tmp_path)
