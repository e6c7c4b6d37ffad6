"""The contract of all registered classifiers."""

import warnings

import numpy as np
import pytest

from biasloop.domain.label import LabelSource
from biasloop.domain.learning import TrainingSet
from biasloop.errors import ClassifierError, ConfigError
from biasloop.plugins.registry import Kind, create, names
from support.sentences import rows, training
from support.tiny_checkpoint import make_encoder


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    """What each classifier needs to learn these few sentences in a second."""
    tiny = str(make_encoder(tmp_path_factory.mktemp("encoder"), training().texts))
    quick = {"lr": 0.02, "epochs": 1, "min_steps": 40, "folds": 2}
    return {"embedding": {"model": tiny}, "transformer": {"model": tiny, **quick}}


@pytest.fixture(params=names(Kind.CLASSIFIER))
def make(request):
    needs_encoder = request.param in ("embedding", "transformer")
    options = request.getfixturevalue("options")[request.param] if needs_encoder else {}
    return lambda: create(Kind.CLASSIFIER, request.param, options)


@pytest.mark.parametrize("multi", [True, False])
def test_learns_and_reports_out_of_fold(make, multi):
    data = training(multi)
    classifier = make()
    report = classifier.fit(data, seed=3)
    proba = classifier.predict_proba(data.texts)
    for probabilities in (proba, report.oof):
        assert probabilities.shape == data.labels.shape
        assert probabilities.dtype == np.float32
        assert ((probabilities >= 0) & (probabilities <= 1)).all()
        if not multi:
            np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(classifier.thresholds, report.thresholds)
    assert classifier.thresholds.shape == (2,)
    yes = data.labels == 1
    assert report.oof[yes].mean() > report.oof[~yes].mean() + 0.4
    if multi:
        assert ((proba >= classifier.thresholds) == yes).mean() > 0.95
    else:
        assert (proba.argmax(axis=1) == data.labels.argmax(axis=1)).all()


@pytest.mark.parametrize("multi", [True, False])
def test_same_data_and_seed_same_model(make, multi):
    data = training(multi)
    first, second = make(), make()
    reports = first.fit(data, seed=5), second.fit(data, seed=5)
    np.testing.assert_array_equal(reports[0].oof, reports[1].oof)
    unseen = ["Una mela in officina", "Qui la chiave", ""]
    np.testing.assert_array_equal(first.predict_proba(unseen), second.predict_proba(unseen))


def test_global_random_state_is_left_alone(make):
    np.random.seed(1)
    expected = np.random.random()
    np.random.seed(1)
    make().fit(training(), seed=5)
    assert np.random.random() == expected


@pytest.mark.parametrize("multi", [True, False])
def test_saved_and_loaded_is_the_same(make, multi, tmp_path):
    classifier = make()
    classifier.fit(training(multi), seed=1)
    classifier.save(tmp_path)
    loaded = type(classifier).load(tmp_path)
    unseen = ["Una mela in officina", "ə * /a", "\ud800 \x00 \n", ""]
    np.testing.assert_array_equal(classifier.predict_proba(unseen), loaded.predict_proba(unseen))
    np.testing.assert_array_equal(classifier.thresholds, loaded.thresholds)
    assert classifier.evidence(unseen[0], ["fruit"]) == loaded.evidence(unseen[0], ["fruit"])


def test_damaged_folders_are_refused(make, tmp_path):
    classifier = make()
    classifier.fit(training(), seed=1)
    classifier.save(tmp_path)
    with pytest.raises(ClassifierError):
        type(classifier).load(tmp_path / "not there")
    for file in sorted(path for path in tmp_path.rglob("*") if path.is_file()):
        whole = file.read_bytes()
        for damaged in (b"", whole[: len(whole) // 2], b"nonsense"):
            file.write_bytes(damaged)
            with warnings.catch_warnings(), pytest.raises(ClassifierError):
                type(classifier).load(tmp_path)
        file.write_bytes(whole)
    type(classifier).load(tmp_path)


def test_labels_not_asked_teach_nothing(make):
    data = training()
    labels = data.labels.copy()
    labels[np.random.default_rng(0).random(len(labels)) < 0.4, 1] = -1
    classifier = make()
    classifier.fit(rows(data, slice(None), labels), seed=1)
    proba = classifier.predict_proba(data.texts)
    assert ((proba >= classifier.thresholds) == (data.labels == 1)).mean() > 0.9
    assert proba[data.labels[:, 1] == 1, 1].min() > 0.7


def test_rows_of_weight_zero_teach_nothing(make):
    data = training()
    texts = [*data.texts, *data.texts]
    data = TrainingSet(
        texts=texts,
        labels=np.vstack([data.labels, 1 - data.labels]),
        weights=np.repeat(np.array([1, 0], dtype=np.float32), len(data.texts)),
        roots=np.concatenate([data.roots, data.roots]),
        sources=[LabelSource.HUMAN] * len(texts),
        label_names=data.label_names,
        multi=True,
    )
    classifier = make()
    classifier.fit(data, seed=1)
    half = len(texts) // 2
    proba = classifier.predict_proba(texts[:half])
    assert ((proba >= classifier.thresholds) == (data.labels[:half] == 1)).mean() > 0.9


@pytest.mark.parametrize("multi", [True, False])
@pytest.mark.parametrize("keep", [[0], [0, 1], [0, 2], list(range(5))])
def test_a_few_rows_do_not_crash_it(make, multi, keep):
    classifier = make()
    report = classifier.fit(rows(training(multi), keep), seed=1)
    assert np.isfinite(report.oof).all()
    assert np.isfinite(classifier.predict_proba(["mela rossa", ""])).all()
    assert report.notes


def test_a_label_without_positives_is_never_predicted(make):
    data = training()
    labels = data.labels.copy()
    labels[:, 1] = 0
    classifier = make()
    report = classifier.fit(rows(data, slice(None), labels), seed=1)
    assert (classifier.predict_proba([*data.texts, "martello"])[:, 1] == 0).all()
    assert any("tool" in note for note in report.notes)


@pytest.mark.parametrize("label", [0, 1])
def test_only_one_answer_in_all_rows(make, label):
    data = training()
    classifier = make()
    classifier.fit(rows(data, slice(None), np.full_like(data.labels, label)), seed=1)
    assert (classifier.predict_proba(["mela", ""]) == label).all()


def test_only_one_class_in_a_single_label_scheme(make):
    data = training(multi=False)
    classifier = make()
    classifier.fit(rows(data, slice(0, None, 2)), seed=1)
    np.testing.assert_array_equal(classifier.predict_proba(["mela", ""]), [[1, 0]] * 2)


def test_a_single_root_is_reported(make):
    data = training(rows_per_root=1000)
    classifier = make()
    report = classifier.fit(data, seed=1)
    assert np.isfinite(report.oof).all()
    assert any("root" in note for note in report.notes)


def test_nothing_labelled_is_an_error(make):
    data = training()
    with pytest.raises(ClassifierError, match="label"):
        make().fit(rows(data, slice(None), np.full_like(data.labels, -1)), seed=1)
    with pytest.raises(ClassifierError, match="label"):
        make().fit(rows(data, slice(0)), seed=1)


def test_an_untrained_model_says_so(make, tmp_path):
    with pytest.raises(ClassifierError, match="train"):
        make().predict_proba(["mela"])
    with pytest.raises(ClassifierError, match="train"):
        make().save(tmp_path)


def test_no_texts_give_no_rows(make):
    classifier = make()
    classifier.fit(training(), seed=1)
    assert classifier.predict_proba([]).shape == (0, 2)


def test_evidence_lies_in_the_text_on_whole_words(make):
    classifier = make()
    classifier.fit(training(), seed=1)
    text = "Oggi compriamo (mela rossa), forse al mercato."
    spans = classifier.evidence(text, ["fruit"])
    for span in spans:
        assert span.label == "fruit"
        assert span.weight > 0
        assert not text[span.start - 1].isalnum()
        assert not text[span.end].isalnum()
    assert [span.weight for span in spans] == sorted((s.weight for s in spans), reverse=True)
    assert classifier.evidence("", ["fruit"]) == []


def test_checkpoint_is_called_and_may_end_the_work(make):
    class Ended(Exception):
        pass

    def end():
        raise Ended

    classifier = make()
    with pytest.raises(Ended):
        classifier.fit(training(), seed=1, checkpoint=end)
    classifier.fit(training(), seed=1)
    with pytest.raises(Ended):
        classifier.predict_proba(["mela"], checkpoint=end)


@pytest.mark.parametrize("name", names(Kind.CLASSIFIER))
def test_unknown_options_are_refused(name):
    with pytest.raises(ConfigError, match="colour"):
        create(Kind.CLASSIFIER, name, {"colour": "red"})
