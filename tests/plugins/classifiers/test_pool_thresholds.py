"""Calibration and thresholds for the pool, by labels of its random items."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biasloop.domain.label import LabelSource
from biasloop.domain.learning import PoolSample, TrainingSet
from biasloop.domain.measure.metric import flag_labels
from biasloop.errors import ClassifierError
from biasloop.plugins.classifiers.head.calibration import Calibration, sigmoid, softmax
from biasloop.plugins.classifiers.head.pool import (
    MIN_RANDOM_ROOTS,
    fit_classes_to_pool,
    fit_labels_to_pool,
)
from biasloop.plugins.classifiers.head.report import calibrated
from biasloop.plugins.classifiers.head.thresholds import NOTHING, best_threshold, class_thresholds
from biasloop.plugins.classifiers.options import TfidfOptions
from biasloop.plugins.classifiers.tfidf import Tfidf

seeds = st.integers(0, 2**16)


def expected_f1(proba, threshold):
    flagged = proba >= threshold
    return 2 * proba[flagged].sum() / (flagged.sum() + proba.sum())


@given(seeds, st.integers(1, 60), st.floats(-4, 2))
@settings(max_examples=50, deadline=None)
def test_no_cut_has_a_better_expected_f1(seed, n, offset):
    proba = sigmoid(np.random.default_rng(seed).normal(offset, 2, n).round(1))
    threshold = best_threshold(proba, np.ones(n))
    best = max(expected_f1(proba, cut) for cut in proba)
    assert expected_f1(proba, threshold) == pytest.approx(best)


@given(seeds, st.integers(1, 60), st.floats(-4, 2), st.floats(0.05, 0.95))
@settings(max_examples=50, deadline=None)
def test_a_precision_is_kept_with_the_best_f1_that_it_allows(seed, n, offset, precision):
    proba = sigmoid(np.random.default_rng(seed).normal(offset, 2, n).round(1))
    threshold = best_threshold(proba, np.ones(n), precision)
    allowed = [cut for cut in proba if proba[proba >= cut].mean() >= precision]
    if not allowed:
        assert threshold == NOTHING
        return
    assert proba[proba >= threshold].mean() >= precision
    best = max(expected_f1(proba, cut) for cut in allowed)
    assert expected_f1(proba, threshold) == pytest.approx(best)


def expected_macro_f1(proba, thresholds):
    flags = flag_labels(proba, thresholds, multi=False)
    return (2 * (proba * flags).sum(axis=0) / (flags.sum(axis=0) + proba.sum(axis=0))).mean()


@given(seeds, st.integers(2, 60), st.integers(2, 5))
@settings(max_examples=50, deadline=None)
def test_class_thresholds_are_no_worse_than_none(seed, n, k):
    proba = softmax(np.random.default_rng(seed).normal(0, 2, (n, k)) + np.arange(k))
    thresholds = class_thresholds(proba)
    assert thresholds.sum() == pytest.approx(1)
    none = expected_macro_f1(proba, np.zeros(k))
    assert expected_macro_f1(proba, thresholds) >= none - 1e-9


@given(seeds, st.integers(2, 60))
@settings(max_examples=50, deadline=None)
def test_for_two_classes_no_cut_has_a_better_expected_macro_f1(seed, n):
    yes = sigmoid(np.random.default_rng(seed).normal(-1, 2, n))
    proba = np.stack([1 - yes, yes], axis=1)
    cuts = [*(np.sort(yes)[1:] + np.sort(yes)[:-1]) / 2]
    best = max(expected_macro_f1(proba, np.array([1 - cut, cut])) for cut in cuts)
    assert expected_macro_f1(proba, class_thresholds(proba)) >= best - 1e-9


@given(seeds, st.integers(1, 40), st.integers(1, 4))
@settings(max_examples=50, deadline=None)
def test_fitting_to_the_pool_never_reverses_a_ranking(seed, n, k):
    rng = np.random.default_rng(seed)
    before = Calibration(rng.uniform(0.05, 5, k), rng.normal(0, 2, k), multi=True)
    scores = rng.normal(0, 3, (n, k))
    labels = rng.integers(-1, 2, (n, k)).astype(np.int8)
    after = fit_labels_to_pool(before, scores, labels, np.ones(n))
    some = np.linspace(-5, 5, 50)[:, None].repeat(k, axis=1)
    assert (np.diff(after.log_odds(some), axis=0) > 0).all()


def fit_to_random(before, scores, labels):
    """Fits to rows that all are random items."""
    every = np.ones(len(scores), np.bool_)
    if before.multi:
        return fit_labels_to_pool(before, scores, labels, every.astype(float))
    return fit_classes_to_pool(before, scores, labels, every.astype(float), every, ~every)


@pytest.mark.parametrize("multi", [True, False])
def test_planted_shares_are_recovered(multi):
    shares = np.array([0.03, 0.1, 0.4]) if multi else np.array([0.1, 0.3, 0.6])
    rng = np.random.default_rng(0)
    n, even = 20_000, Calibration(np.ones(3), np.zeros(3), multi)
    if multi:
        truth = rng.random((n, 3)) < shares
    else:
        truth = rng.choice(3, n, p=shares)[:, None] == np.arange(3)
    # With one standard deviation between the means, these are the log-odds at even shares.
    scores = np.where(truth, 0.5, -0.5) + rng.normal(0, 1, (n, 3))
    few = fit_to_random(even, scores[:400], truth[:400].astype(np.int8))
    assert few.proba(scores).mean(axis=0) == pytest.approx(shares, abs=0.06)
    many = fit_to_random(even, scores, truth.astype(np.int8))
    assert many.proba(scores).mean(axis=0) == pytest.approx(shares, abs=0.01)
    assert many.offset == pytest.approx(np.log(shares / (1 - shares)), abs=0.15) or not multi


# --- the whole --------------------------------------------------------------------------------


def rows(n, shares, rng):
    """Labels with these shares, and scores that rank them well."""
    labels = (rng.random((n, len(shares))) < shares).astype(np.int8)
    return labels, np.where(labels == 1, 1.0, -1.0) + rng.normal(0, 1, labels.shape)


def acquired_and_random(random, pool=2000, seed=0):
    """A training set of 300 acquired rows, half of them positive, and of `random` rows of a pool
    with 5 % and 30 %; its out-of-fold scores, the pool's scores, and the pool's labels."""
    rng = np.random.default_rng(seed)
    shares = (0.05, 0.3)
    labels, scores = zip(
        rows(300, (0.5, 0.5), rng), rows(random, shares, rng), rows(pool, shares, rng), strict=True
    )
    n = 300 + random
    data = TrainingSet(
        texts=[""] * n,
        labels=np.concatenate(labels[:2]),
        weights=np.ones(n, np.float32),
        roots=np.arange(n).astype(str),
        sources=[LabelSource.HUMAN] * n,
        label_names=("a", "b"),
        multi=True,
        random=np.arange(n) >= 300,
        pool=PoolSample([""] * pool),
    )
    return data, np.concatenate(scores[:2]), scores[2], labels[2]


def macro_f1(truth, flags):
    return (2 * (truth & flags).sum(axis=0) / (truth.sum(axis=0) + flags.sum(axis=0))).mean()


def test_a_few_random_labels_bring_thresholds_that_fit_the_pool():
    data, scores, pool_scores, pool_labels = acquired_and_random(60)
    truth = pool_labels == 1

    def quality(calibration, report):
        proba = calibration.proba(pool_scores)
        error = np.abs(proba.mean(axis=0) - truth.mean(axis=0))
        return macro_f1(truth, proba >= report.thresholds), error

    before, error_before = quality(*calibrated(data, scores))
    after, error = quality(*calibrated(data, scores, pool_scores))
    assert after > before + 0.05
    assert (error < error_before).all()
    assert (error < 0.06).all()


@pytest.mark.parametrize("random", [0, MIN_RANDOM_ROOTS - 1])
def test_without_enough_random_labels_nothing_changes(random):
    data, scores, pool_scores, _ = acquired_and_random(random)
    before = calibrated(replace(data, random=None), scores)
    after = calibrated(data, scores, pool_scores)
    assert np.array_equal(after[0].offset, before[0].offset)
    assert np.array_equal(after[0].slope, before[0].slope)
    assert np.array_equal(after[1].thresholds, before[1].thresholds)


def test_random_rows_that_nobody_labelled_count_for_nothing():
    data, scores, pool_scores, _ = acquired_and_random(60)
    written = replace(data, sources=[LabelSource.HUMAN] * 300 + [LabelSource.LLM] * 60)
    before = calibrated(replace(written, random=None), scores)[1]
    assert np.array_equal(calibrated(written, scores, pool_scores)[1].thresholds, before.thresholds)


def test_an_empty_sample_of_the_pool_changes_nothing():
    data, scores, pool_scores, _ = acquired_and_random(60)
    before = calibrated(replace(data, random=None), scores)[1]
    after = calibrated(data, scores, pool_scores[:0])[1]
    assert np.array_equal(after.thresholds, before.thresholds)


def test_a_label_that_ranks_by_chance_is_not_flagged_for_the_pool_either():
    data, scores, pool_scores, _ = acquired_and_random(60)
    rng = np.random.default_rng(1)
    scores[:, 0], pool_scores[:, 0] = rng.normal(size=len(scores)), rng.normal(size=2000)
    _, report = calibrated(data, scores, pool_scores)
    assert report.thresholds[0] == NOTHING
    assert report.thresholds[1] < 0.5


def test_a_precision_by_label_holds_over_the_pool():
    data, scores, pool_scores, pool_labels = acquired_and_random(200)
    calibration, report = calibrated(data, scores, pool_scores, {"b": 0.9})
    flags = calibration.proba(pool_scores) >= report.thresholds
    assert (pool_labels[flags[:, 1], 1] == 1).mean() > 0.85
    _, without = calibrated(data, scores, pool_scores)
    assert report.thresholds[0] == without.thresholds[0]
    assert report.thresholds[1] > without.thresholds[1]


def test_a_precision_that_applies_to_no_label_is_refused():
    data, scores, _, _ = acquired_and_random(0)
    with pytest.raises(ClassifierError, match="names 'c'; the labels are a, b"):
        calibrated(data, scores, precision={"c": 0.9})
    with pytest.raises(ClassifierError, match="several labels"):
        calibrated(replace(data, multi=False), scores, precision={"a": 0.9})


def test_the_sample_of_the_pool_reaches_the_saved_model(tmp_path):
    rng = np.random.default_rng(0)

    def texts(n, share):
        yes = rng.random(n) < share
        words = rng.choice(["tavolo", "sedia", "lampada", "porta"], (n, 6))
        return [" ".join([*row, "uomo" * int(y)]) for row, y in zip(words, yes, strict=True)], yes

    (acquired, a), (random, r), (pool, _) = texts(60, 0.5), texts(40, 0.1), texts(500, 0.1)
    data = TrainingSet(
        texts=acquired + random,
        labels=np.concatenate([a, r])[:, None].astype(np.int8),
        weights=np.ones(100, np.float32),
        roots=np.arange(100).astype(str),
        sources=[LabelSource.HUMAN] * 100,
        label_names=("man",),
        multi=True,
        random=np.arange(100) >= 60,
        pool=PoolSample(pool),
    )
    model, without = Tfidf(TfidfOptions()), Tfidf(TfidfOptions())
    report = model.fit(data, seed=0)
    without.fit(replace(data, pool=None), seed=0)
    assert model.predict_proba(pool).mean() < without.predict_proba(pool).mean()
    model.save(tmp_path)
    loaded = Tfidf.load(tmp_path)
    assert np.array_equal(loaded.thresholds, report.thresholds)
    assert np.array_equal(loaded.predict_proba(pool), model.predict_proba(pool))
