"""Calibration and thresholds for the pool in a single-label scheme."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biasloop.domain.label import LabelSource
from biasloop.domain.learning import PoolSample, TrainingSet
from biasloop.domain.measure.metric import flag_labels
from biasloop.plugins.classifiers.head.calibration import Calibration, sigmoid, softmax
from biasloop.plugins.classifiers.head.pool import (
    MIN_RANDOM_ROOTS,
    fit_classes_to_pool,
    move_thresholds,
)
from biasloop.plugins.classifiers.head.report import calibrated

seeds = st.integers(0, 2**16)


def fit_to_random(before, scores, labels):
    """Fits to rows that all are random items."""
    every = np.ones(len(scores), np.bool_)
    return fit_classes_to_pool(before, scores, labels, every.astype(float), every, ~every)


@given(seeds, st.integers(1, 40), st.integers(2, 5), st.floats(0.2, 5))
@settings(max_examples=50, deadline=None)
def test_moved_thresholds_give_the_same_verdicts(seed, n, k, factor):
    rng = np.random.default_rng(seed)
    slope = np.full(k, rng.uniform(0.1, 3))
    before = Calibration(slope, rng.normal(0, 1, k), multi=False)
    fitted = Calibration(slope * factor, rng.normal(0, 1, k), multi=False)
    thresholds, scores = rng.dirichlet(np.ones(k)) + 1e-3, rng.normal(0, 3, (n, k))
    moved = move_thresholds(thresholds, fitted, before)
    assert moved.sum() == pytest.approx(1)
    wanted = softmax(fitted.log_odds(scores)) / thresholds
    first, second = np.sort(wanted, axis=1)[:, [-1, -2]].T
    sure = first > second * (1 + 1e-6)
    verdicts = (softmax(before.log_odds(scores)) / moved).argmax(axis=1)
    assert np.array_equal(verdicts[sure], wanted.argmax(axis=1)[sure])


def campaign(seed, random=25, acquired=300, shift=1.0):
    """Scores and labels of two classes: items of which the second is the more probable one from
    `shift` on. The acquired ones are those that an earlier model, which knew less, was least sure
    of."""
    rng = np.random.default_rng(seed)
    n = 4000
    known = rng.normal(0, 2, n)
    unknown = rng.normal(0, 1, n)
    second = rng.random(n) < sigmoid(1.5 * (known + unknown - shift))
    score, earlier = known + rng.normal(0, 0.3, n), known + unknown + rng.normal(0, 1, n)
    drawn = np.arange(random)
    rows = np.append(drawn, random + np.argsort(np.abs(earlier[random:] - shift))[:acquired])
    scores = np.stack([-score, score], axis=1) / 2
    labels = np.stack([~second, second], axis=1).astype(np.int8)
    return scores[rows], labels[rows], np.arange(len(rows)) < random, scores, labels


def borders(calibration):
    """The score from which the second of two classes is the more probable one."""
    return (calibration.offset[0] - calibration.offset[1]) / calibration.slope[1]


def test_acquired_items_tell_where_the_border_between_classes_is():
    even = Calibration(np.ones(2), np.zeros(2), multi=False)
    errors = []
    for seed in range(20):
        scores, labels, random, all_scores, all_labels = campaign(seed)
        weights = np.ones(len(labels))
        with_acquired = fit_classes_to_pool(even, scores, labels, weights, random, ~random)
        alone = fit_to_random(even, scores[random], labels[random])
        best = borders(fit_to_random(even, all_scores, all_labels))
        errors.append([borders(with_acquired) - best, borders(alone) - best])
    spread, spread_alone = np.sqrt(np.mean(np.square(errors), axis=0))
    assert spread < 0.7 * spread_alone


def test_the_more_of_the_rows_are_acquired_the_larger_the_slope_for_the_pool():
    even = Calibration(np.ones(2), np.zeros(2), multi=False)
    scores, labels, *_ = campaign(0, random=30, acquired=0)
    # The same rows once more, as acquired ones: only their share changes.
    twice = np.concatenate([scores, scores]), np.concatenate([labels, labels])
    first = np.arange(60) < 30
    slopes = [
        fit_classes_to_pool(even, *twice, np.where(first, 1, weight), first, ~first).slope[0]
        for weight in (0.01, 0.2, 1)
    ]
    assert slopes == sorted(slopes)
    assert slopes[-1] > slopes[0] * 1.05


def classes(random, others, source, seed=0, share=0.15):
    """A single-label training set: `others` rows from `source`, half of them of the second class,
    and `random` rows of a pool of which a `share` has it; its out-of-fold scores and the
    pool's scores."""
    rng = np.random.default_rng(seed)
    shares = [0.5] * others + [share] * random, [share] * 4000
    second = [rng.random(len(part)) < part for part in shares]
    labels = [np.stack([~part, part], axis=1).astype(np.int8) for part in second]
    score = [np.where(part, 1.0, -1.0) + rng.normal(0, 1, len(part)) for part in second]
    scores = [np.stack([-part, part], axis=1) for part in score]
    n = others + random
    data = TrainingSet(
        texts=[""] * n,
        labels=labels[0],
        weights=np.ones(n, np.float32),
        roots=np.arange(n).astype(str),
        sources=[source] * others + [LabelSource.HUMAN] * random,
        label_names=("a", "b"),
        multi=False,
        random=np.arange(n) >= others,
        pool=PoolSample([""] * 4000),
    )
    return data, *scores


def test_seeds_do_not_tell_what_the_pool_is_like():
    def chosen_share(source):
        data, scores, pool_scores = classes(60, 300, source)
        calibration, report = calibrated(data, scores, pool_scores)
        proba = calibration.proba(pool_scores)
        return flag_labels(proba, report.thresholds, multi=False)[:, 1].mean()

    # Of the pool 15 % have the class. Seeds are chosen for their class, half of them have it.
    assert chosen_share(LabelSource.SEED) == pytest.approx(0.15, abs=0.03)
    assert chosen_share(LabelSource.HUMAN) > chosen_share(LabelSource.SEED) + 0.01


@pytest.mark.parametrize(
    ("random", "others", "for_pool"),
    [
        (MIN_RANDOM_ROOTS - 1, 300, False),
        (MIN_RANDOM_ROOTS, MIN_RANDOM_ROOTS - 1, False),
        (MIN_RANDOM_ROOTS, MIN_RANDOM_ROOTS, True),
    ],
)
def test_a_class_needs_twelve_labels_of_people_and_the_pool_twelve_random_ones(
    random, others, for_pool
):
    data, scores, pool_scores = classes(random, others, LabelSource.HUMAN)
    assert calibrated(data, scores, pool_scores)[1].for_pool == for_pool
