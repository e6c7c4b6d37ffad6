"""The linear classifier: its features, folds, calibration, thresholds and file."""

import json
import os
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.special import expit
from scipy.special import softmax as scipy_softmax
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

from biasloop.domain.label import LabelSource
from biasloop.domain.learning import Scores, TrainingSet
from biasloop.domain.text import normalise
from biasloop.errors import ClassifierError
from biasloop.plugins.classifiers import state
from biasloop.plugins.classifiers.encoded import ENCODER, FILE, OLD_FORMAT
from biasloop.plugins.classifiers.head.calibration import (
    fit_sigmoid,
    fit_temperature,
    sigmoid,
    softmax,
)
from biasloop.plugins.classifiers.head.folds import group_folds
from biasloop.plugins.classifiers.head.thresholds import best_threshold
from biasloop.plugins.classifiers.options import TfidfOptions
from biasloop.plugins.classifiers.state import ARRAY, FORMAT, STATE, read_state, write_state
from biasloop.plugins.classifiers.terms.ngrams import lower_case, without_emphasis, word_ngrams
from biasloop.plugins.classifiers.terms.term_encoder import TermEncoder
from biasloop.plugins.classifiers.terms.term_rows import TermRows, concatenate, interleaved
from biasloop.plugins.classifiers.terms.weighting import TermWeighting
from biasloop.plugins.classifiers.tfidf import Tfidf

OLD_FILE = "head.skops"
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
    assert word_ngrams(lower_case(text))[: len(words)] == words
    assert len(word_ngrams(lower_case(text))) == max(0, 2 * len(words) - 1)


def fit_encoder(texts, unlabelled=(), shortest=2, longest=4):
    return TermEncoder.fit(texts, unlabelled, shortest=shortest, longest=longest, language=None)


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=40), max_size=5))
@settings(deadline=None)
def test_character_terms_are_those_of_scikit_learn(texts):
    texts = [*texts, "uno"]
    # char_wb counts a word shorter than n once, as a whole; ours not at all.
    expected = {
        gram
        for text in texts
        for token in lower_case(without_emphasis(normalise(text).text)).split()
        for gram in CountVectorizer(analyzer="char_wb", ngram_range=(2, 3)).build_analyzer()(token)
    }
    ours = fit_encoder(texts, longest=3).vocabularies["chars"]
    assert set(ours) == {lower_case(gram) for gram in expected}


def presence(encoder, texts):
    """The terms of each block of each text, as the matrices that scikit-learn would make."""
    rows = encoder.encode(texts).presence().toarray()
    return [rows[b :: len(encoder.vocabularies)] for b in range(len(encoder.vocabularies))]


def test_weights_are_those_of_scikit_learn():
    encoder = fit_encoder(ADS)
    features = encoder.encode(ADS)
    rows = TermWeighting.fit(features).matrix(features).toarray()
    expected = [
        TfidfTransformer().fit_transform(block).toarray() for block in presence(encoder, ADS)
    ]
    np.testing.assert_allclose(rows, sum(expected), atol=1e-6)


@given(st.integers(0, 2**16), st.integers(0, 40), st.integers(1, 3))
@settings(deadline=None, max_examples=40)
def test_scores_are_the_product_with_the_weighted_rows(seed, n, blocks):
    rng = np.random.default_rng(seed)
    matrices = [sparse.random_array((n, w), density=0.3, format="csr", rng=rng) for w in (5, 9, 4)]
    features = interleaved(matrices[:blocks])
    coef = rng.normal(size=(features.width, 2)).astype(np.float32)
    weighting = TermWeighting.fit(features[: n // 2])
    expected = weighting.matrix(features) @ coef
    np.testing.assert_allclose(weighting.scores(features, coef), expected, atol=1e-5)


@given(st.integers(0, 2**16), st.integers(1, 30), st.integers(1, 3))
@settings(deadline=None, max_examples=40)
def test_rows_are_selected_and_concatenated_like_those_of_a_matrix(seed, n, blocks):
    rng = np.random.default_rng(seed)
    matrices = [sparse.random_array((n, w), density=0.3, format="csr", rng=rng) for w in (5, 9, 4)]
    features = interleaved(matrices[:blocks])

    def dense(rows: TermRows):
        return rows.presence().toarray().reshape(len(rows), rows.blocks * rows.width)

    whole = dense(features)
    picked = rng.integers(0, n, rng.integers(0, 2 * n))
    np.testing.assert_array_equal(dense(features[picked]), whole[picked])
    mask = rng.random(n) < 0.5
    np.testing.assert_array_equal(dense(features[mask]), whole[mask])
    start, stop = sorted(rng.integers(0, n + 1, 2))
    part = features[start:stop]
    np.testing.assert_array_equal(dense(part), whole[start:stop])
    np.testing.assert_array_equal(dense(part[::-1]), whole[start:stop][::-1])
    together = concatenate([part, features[picked]])
    np.testing.assert_array_equal(dense(together), np.vstack([whole[start:stop], whole[picked]]))


def test_a_row_does_not_depend_on_its_neighbours():
    encoder = fit_encoder(ADS)
    weighting = TermWeighting.fit(encoder.encode(ADS))
    together = weighting.matrix(encoder.encode(ADS)).toarray()
    alone = [weighting.matrix(encoder.encode([text])).toarray()[0] for text in ADS]
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_only_terms_that_can_teach_something_are_known():
    encoder = fit_encoder(["rosso blu"], ["rosso giallo", "verde giallo"])
    assert set(encoder.vocabularies["words"]) == {"rosso", "blu", "rosso blu", "giallo"}
    assert len(encoder.encode(["xyz", ""]).indices) == 0


def test_terms_that_the_training_rows_lack_weigh_nothing():
    encoder = fit_encoder(["rosso blu", "tende"])
    weighting = TermWeighting.fit(encoder.encode(["rosso blu"]))
    rows = weighting.matrix(encoder.encode(["tende", "rosso", "rosso rosso"])).toarray()
    assert not rows[0].any()
    assert rows[1].any()
    np.testing.assert_allclose(rows[1], rows[2], atol=1e-6)


def test_the_encoder_is_the_same_in_every_process_and_after_loading(tmp_path):
    encoder = fit_encoder(ADS)
    code = (
        "import sys; from biasloop.plugins.classifiers.terms.term_encoder import TermEncoder;"
        "print(TermEncoder.fit(sys.argv[1:], (), shortest=2, longest=4, language=None).id)"
    )
    for hash_seed in "12":
        process = subprocess.run(
            [sys.executable, "-c", code, *ADS],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert process.stdout.strip() == encoder.id
    encoder.save(tmp_path)
    assert TermEncoder.load(tmp_path).id == encoder.id
    assert fit_encoder(ADS[:-1]).id != encoder.id


def test_embeddings_nearly_keep_angles():
    encoder = fit_encoder(ADS)
    features = encoder.encode(ADS)
    rows = TermWeighting.fit(features).matrix(features).toarray()
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    embedded = encoder.embed(features)
    np.testing.assert_allclose(embedded @ embedded.T, rows @ rows.T, atol=0.25)
    # Similarity is exact, for common and for rare terms.
    np.testing.assert_allclose(
        encoder.similarity(features, features[:2]), rows @ rows[:2].T, atol=1e-5
    )


# --- folds ------------------------------------------------------------------------------------


@given(st.integers(0, 2**16), st.integers(1, 120), st.integers(1, 4), st.integers(2, 7))
@settings(deadline=None)
def test_folds_never_split_a_root_and_none_is_empty(seed, n, k, folds):
    rng = np.random.default_rng(seed)
    labels = rng.integers(-1, 2, (n, k)).astype(np.int8)
    roots = rng.integers(0, max(1, n // 2), n).astype(str)
    fold_of = group_folds(labels, roots, folds, seed)
    np.testing.assert_array_equal(fold_of, group_folds(labels, roots, folds, seed))
    for root in np.unique(roots):
        assert len(np.unique(fold_of[roots == root])) == 1
    assert len(np.unique(fold_of)) == min(folds, len(np.unique(roots)))


@given(st.integers(0, 2**16), st.integers(5, 12))
@settings(deadline=None)
def test_a_rare_label_is_spread_over_all_folds(seed, positives):
    rng = np.random.default_rng(seed)
    labels = np.zeros((200, 2), dtype=np.int8)
    labels[rng.choice(200, positives, replace=False), 0] = 1
    labels[rng.choice(200, 80, replace=False), 1] = 1
    fold_of = group_folds(labels, np.arange(200).astype(str), 5, seed)
    sizes = np.bincount(fold_of)
    assert sizes.max() - sizes.min() <= 1
    rare = np.bincount(fold_of[labels[:, 0] == 1], minlength=5)
    common = np.bincount(fold_of[labels[:, 1] == 1], minlength=5)
    assert rare.max() - rare.min() <= 1
    assert common.max() - common.min() <= 4


# --- calibration and thresholds ---------------------------------------------------------------


@given(
    st.lists(st.lists(st.floats(-1e5, 1e5), min_size=3, max_size=3), min_size=1, max_size=5),
)
def test_probabilities_are_those_of_scipy(scores):
    """Also for scores so large that their exponentials overflow."""
    scores = np.array(scores)
    np.testing.assert_allclose(sigmoid(scores), expit(scores), rtol=1e-12, atol=1e-300)
    expected = scipy_softmax(scores, axis=1)
    np.testing.assert_allclose(softmax(scores), expected, rtol=1e-12, atol=1e-300)


def test_the_sigmoid_is_recovered():
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


def test_a_ranking_is_never_reversed():
    scores = np.linspace(-1, 1, 50)
    slope, _ = fit_sigmoid(scores, scores < 0, np.ones(50))
    assert slope > 0


def test_a_perfect_separation_gives_no_certainty():
    scores = np.array([-1.0] * 6 + [1.0] * 6)
    slope, offset = fit_sigmoid(scores, scores > 0, np.ones(12))
    assert 0.7 < expit(slope + offset) < 0.95


def test_the_temperature_is_recovered():
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

    threshold = best_threshold(proba, np.ones(20_000))
    assert 0 < threshold <= 0.5
    assert f1(threshold) >= max(map(f1, np.linspace(0.01, 0.99, 99))) - 0.02


# --- the whole --------------------------------------------------------------------------------


def ads(n=120, sources=LabelSource.SEED, positive_roots=60, families=True):
    """Half of the sentences name a man; with `families`, roots have one row of each kind."""
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
    # In every root a unique word decides the label: it can be learnt from the root itself, but not
    # out of fold.
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
    inside = classifier.head.model.scores(classifier.encoder.encode(data.texts))[:, 0] > 0
    outside = report.oof[:, 0] > np.median(report.oof)
    assert (inside == (data.labels[:, 0] == 1)).mean() == 1
    assert abs((outside == (data.labels[:, 0] == 1)).mean() - 0.5) < 0.2


def test_few_positive_roots_keep_the_default_threshold_and_say_so():
    few = ads(positive_roots=4)
    report = Tfidf().fit(few, seed=1)
    assert report.thresholds.tolist() == [0.5]
    assert "gender: 4 roots with it" in report.notes[0]
    assert Tfidf().fit(ads(positive_roots=5), seed=1).notes == ()


def test_constructed_rows_train_but_do_not_calibrate():
    constructed = ads(sources=LabelSource.CONSTRUCTED)
    classifier = Tfidf()
    report = classifier.fit(constructed, seed=1)
    assert report.thresholds.tolist() == [0.5]
    assert "0 roots with it" in report.notes[0]
    assert classifier.predict_proba(["un uomo", "persone"])[:, 0].round().tolist() == [1, 0]

    seeds = ads()
    both = TrainingSet(
        texts=[*seeds.texts, *constructed.texts],
        labels=np.vstack([seeds.labels, 1 - constructed.labels]),  # all wrong
        weights=np.concatenate([seeds.weights, constructed.weights * 1e-6]).astype(np.float32),
        roots=np.concatenate([seeds.roots, constructed.roots]),
        sources=[*seeds.sources, *constructed.sources],
        label_names=("gender",),
        multi=True,
    )
    seeds_only, with_constructed = Tfidf().fit(seeds, seed=1), Tfidf().fit(both, seed=1)
    np.testing.assert_allclose(with_constructed.thresholds, seeds_only.thresholds, atol=0.05)


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
    spans = classifier.evidence(text, ["gender"])
    assert text[spans[0].start : spans[0].end] == "un uomo"
    assert classifier.evidence("!!! ...", ["gender"]) == []


def test_the_model_files_hold_arrays_and_json_and_are_written_whole(tmp_path):
    classifier = Tfidf()
    classifier.fit(ads(), seed=1)
    classifier.save(tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {FILE, "encoder.npz"}
    for file in files:
        with np.load(file, allow_pickle=False) as saved:
            state = json.loads(saved[STATE])
            arrays = [saved[name] for name in saved.files if name != STATE]
        assert state["format"] == FORMAT
        assert {type(array) for array in arrays} == {np.ndarray}


class Evil:
    """Makes a folder when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("made-by-pickle",)


def test_foreign_and_pickled_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    skops.io.dump({"format": 1, "names": Evil()}, tmp_path / OLD_FILE)
    with pytest.raises(ClassifierError, match="Evil"):
        Tfidf.load(tmp_path)
    (tmp_path / FILE).write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ClassifierError, match=FILE):
        Tfidf.load(tmp_path)
    with zipfile.ZipFile(tmp_path / FILE, "w") as archive:
        archive.writestr(STATE, json.dumps({"format": FORMAT, "head": {ARRAY: 0}}))
        with archive.open("0.npy", "w") as member:
            np.save(member, np.array([Evil()]))
    with pytest.raises(ClassifierError, match=r"pickle|Object arrays"):
        Tfidf.load(tmp_path)
    assert not (tmp_path / "made-by-pickle").exists()


def test_a_damaged_array_is_noticed(tmp_path):
    classifier = Tfidf()
    classifier.fit(ads(), seed=1)
    classifier.save(tmp_path)
    content = bytearray((tmp_path / FILE).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(ClassifierError, match="CRC"):
        Tfidf.load(tmp_path)


@pytest.mark.parametrize(("file", "known"), [(FILE, FORMAT), (OLD_FILE, OLD_FORMAT)])
def test_a_later_format_is_refused_by_name(tmp_path, monkeypatch, file, known):
    monkeypatch.setattr(state, "FORMAT", 99)
    write = write_state if file == FILE else save_with_skops
    write(tmp_path / file, {"format": 99})
    monkeypatch.undo()
    with pytest.raises(ClassifierError, match=f"format 99, this version reads {known}"):
        Tfidf.load(tmp_path)


def save_with_skops(file, state):
    skops.io.dump(state, file)


def save_as_before(classifier, folder):
    """As biasloop wrote models before format 5: the same numbers, through skops."""
    classifier.save(folder)
    for file, old_format in (folder / FILE, OLD_FORMAT), (folder / ENCODER / "encoder.npz", 1):
        state = read_state(file, old_format)
        save_with_skops(file.with_suffix(".skops"), state | {"format": old_format})
        file.unlink()


@pytest.mark.parametrize("committee", [True, False])
def test_a_model_of_before_is_read_and_written_again(tmp_path, monkeypatch, committee):
    classifier = Tfidf(TfidfOptions(committee=committee))
    classifier.fit(ads(), seed=1)
    save_as_before(classifier, tmp_path)
    expected = classifier.score(ADS, classifier.offers)
    for _ in ("by skops", "without it"):
        loaded = Tfidf.load(tmp_path)
        assert loaded.encoder.id == classifier.encoder.id
        assert loaded.options == classifier.options
        for name, scores in loaded.score(ADS, classifier.offers).items():
            np.testing.assert_array_equal(scores, expected[name])
        np.testing.assert_array_equal(loaded.thresholds, classifier.thresholds)
        monkeypatch.setitem(sys.modules, "skops", None)
        monkeypatch.setitem(sys.modules, "skops.io", None)


def test_a_model_of_before_is_read_where_nothing_can_be_written(tmp_path, monkeypatch):
    classifier = Tfidf()
    classifier.fit(ads(), seed=1)
    save_as_before(classifier, tmp_path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(state, "write_state", full)
    loaded = Tfidf.load(tmp_path)
    np.testing.assert_array_equal(loaded.predict_proba(ADS), classifier.predict_proba(ADS))
    assert not (tmp_path / FILE).exists()


def test_a_committee_is_kept_if_an_option_says_so(tmp_path):
    data = ads()
    alone, several = Tfidf(), Tfidf(TfidfOptions(committee=True))
    alone.fit(data, seed=1)
    with pytest.raises(ClassifierError, match="committee"):
        alone.score(data.texts, frozenset({"passes"}))
    several.fit(data, seed=1)
    several.save(tmp_path)
    scores = Tfidf.load(tmp_path).score(data.texts, frozenset({"passes", "proba"}))
    assert scores["passes"].shape == (len(data.texts), 5, 1)
    assert (scores["passes"].std(axis=1) > 0).any()
    np.testing.assert_allclose(scores["passes"].mean(axis=1), scores["proba"], atol=0.2)


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


WORDS = [f"{syllable}{ending}" for syllable in ("cal", "mon", "tir") for ending in "abcdefghi"]


def answered(texts, labels, names, *, multi):
    """Texts that people labelled, each a root of its own."""
    return TrainingSet(
        texts=texts,
        labels=labels,
        weights=np.ones(len(texts), np.float32),
        roots=np.array([str(row) for row in range(len(texts))]),
        sources=[LabelSource.HUMAN] * len(texts),
        label_names=names,
        multi=multi,
    )


@pytest.mark.parametrize("share", [0.04, 0.2, 0.5, 0.8])
def test_a_label_that_the_text_does_not_tell_is_never_flagged(share):
    """Of 500 new texts 244 were once flagged with a label that was given to 16 of 400 at random."""
    rng = np.random.default_rng(3)
    texts = [" ".join(rng.choice(WORDS, 7, replace=False)) for _ in range(700)]
    told = np.array(["cala" in text for text in texts])
    told_not = rng.permutation(700) < share * 700
    labels = np.column_stack([told, told_not]).astype(np.int8)
    data = answered(texts[:400], labels[:400], ("told", "not told"), multi=True)
    classifier = Tfidf()
    report = classifier.fit(data, seed=1)
    flags = classifier.predict_proba(texts[400:]) >= classifier.thresholds
    assert not flags[:, 1].any()
    assert (flags[:, 0] == told[400:]).mean() > 0.95
    (note,) = report.notes
    assert note.startswith("not told: texts with it are ranked no better than by chance")


@pytest.mark.parametrize("share", [0.04, 0.2, 0.8])
def test_classes_that_the_text_does_not_tell_are_not_guessed(share):
    """Single-label texts once got a class that 4 in 100 had at random."""
    rng = np.random.default_rng(3)
    texts = [" ".join(rng.choice(WORDS, 7, replace=False)) for _ in range(700)]
    classes = (rng.permutation(700) >= share * 700).astype(int)
    names = ("one", "other")
    labels = np.eye(2, dtype=np.int8)[classes]
    data = answered(texts[:400], labels[:400], names, multi=False)
    classifier = Tfidf()
    report = classifier.fit(data, seed=1)
    proba = classifier.predict_proba(texts[400:])
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5)
    frequent = int(share < 0.5)
    assert set(proba.argmax(axis=1)) == {frequent}
    np.testing.assert_allclose(proba, np.tile(labels[:400].mean(axis=0), (300, 1)), atol=1e-3)
    (note,) = report.notes
    assert f"every text gets the most frequent class, {names[frequent]}" in note
    scores = Scores({"proba": proba}, classifier.thresholds, False, {}, labels[:400])
    assert not scores.has_opinion  # so that the next batch is drawn at random
