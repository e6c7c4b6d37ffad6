"""The linear classifier: its features, folds, calibration, thresholds and file."""

import os
import pickle

import numpy as np
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

from biasloop.classifiers.calibration import f1_threshold, fit_sigmoid, fit_temperature
from biasloop.classifiers.features import Terms, Weighting, char_ngrams, plain, word_ngrams
from biasloop.classifiers.folds import group_folds
from biasloop.classifiers.tfidf import FILE, Tfidf
from biasloop.domain.label import LabelSource
from biasloop.errors import ClassifierError
from biasloop.ports import TrainingSet

ADS = [
    "Cerchiamo un programmatore/trice esperto/a, max 35 anni.",
    "Si ricerca personale per l’ufficio: tutt* benvenut*!",
    "Selezioniamo impiegatə (m/f) con patente B",
    "  ",
    "Il candidato ideale è un cuoco.",
]


# --- features ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("un programmatore/trice", ["un", "programmatore", "/trice"]),
        ("Addetto(a) o addett*", ["addetto", "(a", "o", "addett*"]),
        ("l’impiegatə, tutt@", ["l'", "impiegatə", "tutt@"]),
        ("un'operatrice (m/f)", ["un'", "operatrice", "m", "/f"]),
        ("…!?", []),
    ],
)
def test_words_keep_what_carries_gender(text, words):
    assert word_ngrams(plain(text))[: len(words)] == words
    assert len(word_ngrams(plain(text))) == max(0, 2 * len(words) - 1)


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=40), max_size=5))
@settings(deadline=None)
def test_character_counts_are_those_of_scikit_learn(texts):
    texts = [*texts, "uno"]
    ours = Terms(2, 3)
    _, counts = ours.fit(texts)
    # char_wb counts a word shorter than n once, as a whole; ours not at all.
    expected = {
        gram
        for text in texts
        for token in plain(text).split()
        for gram in CountVectorizer(analyzer="char_wb", ngram_range=(2, 3)).build_analyzer()(token)
    }
    assert set(ours.vocabularies["chars"]) == {plain(gram) for gram in expected}
    assert counts.sum() == sum(
        len(char_ngrams(token, 2, 3)) for text in texts for token in plain(text).split()
    )


def test_weights_are_those_of_scikit_learn():
    blocks = Terms(2, 4).fit(ADS)
    rows = Weighting.fit(blocks, 1).rows(blocks)
    expected = [TfidfTransformer(sublinear_tf=True).fit_transform(b).toarray() for b in blocks]
    np.testing.assert_allclose(rows.toarray(), np.hstack(expected), atol=1e-6)


def test_a_row_does_not_depend_on_its_neighbours():
    ngrams = Terms(2, 4)
    blocks = ngrams.fit(ADS)
    weighting = Weighting.fit(blocks, 1)
    together = weighting.rows(ngrams.count(ADS)).toarray()
    alone = [weighting.rows(ngrams.count([text])).toarray()[0] for text in ADS]
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_ngrams_of_too_few_rows_and_unknown_ones_weigh_nothing():
    ngrams = Terms(2, 4)
    weighting = Weighting.fit(ngrams.fit(["rosso blu", "rosso giallo"]), 2)
    assert weighting.rows(ngrams.count(["blu", "xyz"])).count_nonzero() == 0
    assert weighting.rows(ngrams.count(["rosso"])).count_nonzero() > 0


# --- folds ------------------------------------------------------------------------------------


@given(st.integers(0, 2**16), st.integers(1, 120), st.integers(1, 4), st.integers(2, 7))
@settings(deadline=None)
def test_folds_never_cut_a_root_and_none_is_empty(seed, n, k, folds):
    rng = np.random.default_rng(seed)
    labels = rng.integers(-1, 2, (n, k)).astype(np.int8)
    roots = rng.integers(0, max(1, n // 2), n).astype(str)
    found = group_folds(labels, roots, folds, seed)
    np.testing.assert_array_equal(found, group_folds(labels, roots, folds, seed))
    for root in np.unique(roots):
        assert len(np.unique(found[roots == root])) == 1
    assert len(np.unique(found)) == min(folds, len(np.unique(roots)))


@given(st.integers(0, 2**16), st.integers(5, 12))
@settings(deadline=None)
def test_a_rare_label_is_spread_over_all_folds(seed, positives):
    rng = np.random.default_rng(seed)
    labels = np.zeros((200, 2), dtype=np.int8)
    labels[rng.choice(200, positives, replace=False), 0] = 1
    labels[rng.choice(200, 80, replace=False), 1] = 1
    found = group_folds(labels, np.arange(200).astype(str), 5, seed)
    sizes = np.bincount(found)
    assert sizes.max() - sizes.min() <= 1
    rare = np.bincount(found[labels[:, 0] == 1], minlength=5)
    common = np.bincount(found[labels[:, 1] == 1], minlength=5)
    assert rare.max() - rare.min() <= 1
    assert common.max() - common.min() <= 4


# --- calibration and thresholds ---------------------------------------------------------------


def test_the_sigmoid_is_found_again():
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 2, 20_000)
    truth = rng.random(20_000) < expit(1.7 * scores - 1)
    slope, offset = fit_sigmoid(scores, truth, np.ones(20_000))
    assert slope == pytest.approx(1.7, abs=0.1)
    assert offset == pytest.approx(-1, abs=0.1)


def test_weights_count_like_repeated_rows():
    rng = np.random.default_rng(1)
    scores, truth = rng.normal(size=60), rng.random(60) < 0.4
    times = rng.integers(1, 4, 60)
    weighted = fit_sigmoid(scores, truth, times.astype(float))
    repeated = fit_sigmoid(np.repeat(scores, times), np.repeat(truth, times), np.ones(times.sum()))
    np.testing.assert_allclose(weighted, repeated, rtol=1e-3)


def test_a_ranking_is_never_turned_round():
    scores = np.linspace(-1, 1, 50)
    slope, _ = fit_sigmoid(scores, scores < 0, np.ones(50))
    assert slope > 0


def test_a_perfect_separation_gives_no_certainty():
    scores = np.array([-1.0] * 6 + [1.0] * 6)
    slope, offset = fit_sigmoid(scores, scores > 0, np.ones(12))
    assert 0.7 < expit(slope + offset) < 0.95


def test_the_temperature_is_found_again():
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 2, (20_000, 3))
    odds = np.exp(0.6 * scores)
    odds /= odds.sum(axis=1, keepdims=True)
    truth = (rng.random(20_000)[:, None] > odds.cumsum(axis=1)).sum(axis=1)
    assert fit_temperature(scores, truth, np.ones(20_000)) == pytest.approx(0.6, abs=0.03)


@given(st.integers(0, 2**16), st.floats(-4, 0))
@settings(max_examples=20, deadline=None)
def test_the_threshold_gives_nearly_the_best_f1_there_is(seed, offset):
    rng = np.random.default_rng(seed)
    proba = expit(rng.normal(offset, 2, 20_000))
    truth = rng.random(20_000) < proba

    def f1(threshold):
        flagged = proba >= threshold
        return 2 * (flagged & truth).sum() / (flagged.sum() + truth.sum())

    found = f1_threshold(proba, np.ones(20_000))
    assert 0 < found <= 0.5
    assert f1(found) >= max(map(f1, np.linspace(0.01, 0.99, 99))) - 0.02


# --- the whole --------------------------------------------------------------------------------


def ads(n=120, sources=LabelSource.SEED, positive_roots=60, families=True):
    """Half the sentences name a man; roots of two rows, one of each kind where `families`."""
    jobs = ["cuoco", "saldatore", "autista", "barista", "custode", "tecnico"]
    places = ["a Bari", "in centro", "per il turno di notte", "da subito", "in negozio"]
    texts, labels = [], []
    for i in range(n):
        man = (i % 2 == 0) and i // 2 < positive_roots
        job, place = jobs[i // 2 % len(jobs)], places[i // 2 % len(places)]
        texts.append(f"Cerchiamo {'un uomo' if man else 'persone'} come {job} {place} {i}")
        labels.append([man])
    return TrainingSet(
        texts=texts,
        labels=np.array(labels, dtype=np.int8),
        weights=np.ones(n, dtype=np.float32),
        roots=np.array([f"r{i // 2 if families else i}" for i in range(n)]),
        sources=[sources] * n,
        label_names=("gender",),
        multi=True,
    )


def test_the_label_of_a_root_does_not_reach_its_own_out_of_fold_rows():
    # A word of its own in every root decides the label: inside it is learnt, out of fold nothing.
    rng = np.random.default_rng(0)
    roots = np.repeat(np.arange(60), 4)
    words = ["".join(rng.choice(list("abcdefghilmnopqrstuvz"), 9)) for _ in range(60)]
    truth = rng.permutation(60) % 2
    data = TrainingSet(
        texts=[words[root] for root in roots],
        labels=truth[roots][:, None].astype(np.int8),
        weights=np.ones(240, dtype=np.float32),
        roots=roots.astype(str),
        sources=[LabelSource.HUMAN] * 240,
        label_names=("x",),
        multi=True,
    )
    classifier = Tfidf()
    report = classifier.fit(data, seed=0)
    inside = classifier._model.scores(data.texts)[:, 0] > 0
    outside = report.oof[:, 0] > np.median(report.oof)
    assert (inside == (data.labels[:, 0] == 1)).mean() == 1
    assert abs((outside == (data.labels[:, 0] == 1)).mean() - 0.5) < 0.2


def test_few_positive_roots_keep_the_default_threshold_and_say_so():
    few = ads(positive_roots=4)
    report = Tfidf().fit(few, seed=1)
    assert report.thresholds.tolist() == [0.5]
    assert "gender: 4 roots with it" in report.notes[0]
    assert Tfidf().fit(ads(positive_roots=5), seed=1).notes == ()


def test_constructed_rows_train_but_choose_nothing():
    made = ads(sources=LabelSource.CONSTRUCTED)
    classifier = Tfidf()
    report = classifier.fit(made, seed=1)
    assert report.thresholds.tolist() == [0.5]
    assert "0 roots with it" in report.notes[0]
    assert classifier.predict_proba(["un uomo", "persone"])[:, 0].round().tolist() == [1, 0]

    seeds = ads()
    both = TrainingSet(
        texts=[*seeds.texts, *made.texts],
        labels=np.vstack([seeds.labels, 1 - made.labels]),  # all wrong
        weights=np.concatenate([seeds.weights, made.weights * 1e-6]).astype(np.float32),
        roots=np.concatenate([seeds.roots, made.roots]),
        sources=[*seeds.sources, *made.sources],
        label_names=("gender",),
        multi=True,
    )
    alone, beside = Tfidf().fit(seeds, seed=1), Tfidf().fit(both, seed=1)
    np.testing.assert_allclose(beside.thresholds, alone.thresholds, atol=0.05)


def test_probabilities_follow_the_frequency_of_the_label():
    rng = np.random.default_rng(4)
    data = ads(n=600, families=False)
    man = np.array(["uomo" in text for text in data.texts])
    labels = (man & (rng.random(600) < 0.3)).astype(np.int8)[:, None]
    data = TrainingSet(
        data.texts, labels, data.weights, data.roots, data.sources, ("gender",), True
    )
    report = Tfidf().fit(data, seed=1)
    assert report.oof.mean() == pytest.approx(labels.mean(), abs=0.03)
    assert report.oof[man].mean() > 3 * report.oof[~man].mean()


def test_evidence_is_the_word_that_decides():
    classifier = Tfidf()
    classifier.fit(ads(), seed=1)
    text = "Per la cucina cerchiamo un uomo, come cuoco"
    found = classifier.evidence(text, ["gender"])
    assert text[found[0].start : found[0].end] == "un uomo"
    assert classifier.evidence("!!! ...", ["gender"]) == []


def test_the_model_file_holds_only_what_skops_trusts_and_is_written_whole(tmp_path):
    classifier = Tfidf()
    classifier.fit(ads(), seed=1)
    classifier.save(tmp_path)
    assert os.listdir(tmp_path) == [FILE]
    assert skops.io.get_untrusted_types(file=tmp_path / FILE) == []


class Evil:
    """Leaves a mark when it is made out of a file."""

    def __reduce__(self):
        return os.mkdir, ("made-by-pickle",)


def test_foreign_and_pickled_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    skops.io.dump({"format": 1, "names": Evil()}, tmp_path / FILE)
    with pytest.raises(ClassifierError, match="Evil"):
        Tfidf.load(tmp_path)
    (tmp_path / FILE).write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ClassifierError, match=FILE):
        Tfidf.load(tmp_path)
    assert not (tmp_path / "made-by-pickle").exists()


def test_a_later_format_is_refused_by_name(tmp_path):
    skops.io.dump({"format": 99}, tmp_path / FILE)
    with pytest.raises(ClassifierError, match="format 99"):
        Tfidf.load(tmp_path)


def test_texts_without_a_word_are_an_error():
    data = ads()
    blank = TrainingSet(
        [" "] * len(data.texts),
        data.labels,
        data.weights,
        data.roots,
        data.sources,
        data.label_names,
        True,
    )
    with pytest.raises(ClassifierError, match="no word"):
        Tfidf().fit(blank, seed=1)
