"""One simulated campaign: the same input gives the same run, and planted savings are found."""

import numpy as np
import pytest

from biasloop.domain.label import Scheme
from biasloop.domain.measure.curve import bootstrap_curves, labels_saved
from biasloop.domain.measure.resample import Interval, percentile_interval
from biasloop.plugins.registry import Kind, create
from biasloop.simulate.gold import Gold, Texts
from biasloop.simulate.run import Encoded, Setup, simulate, simulated_answers
from support.planted import coin_tosses, gold, rare_topics, topics

SETUP = Setup("tfidf", {}, batch=10, budget=120)
SEEDS = 3


def encoded(data: Gold) -> Encoded:
    encoder = create(Kind.CLASSIFIER, "tfidf").make_encoder(data.pool.texts)
    return Encoded(encoder, *(encoder.encode(part.texts) for part in (data.pool, data.test)))


def labels_saved_by_auto(data: Gold) -> Interval:
    rows = encoded(data)
    flags = {
        arm: [simulate(data, SETUP, arm, seed, rows).flags for seed in range(SEEDS)]
        for arm in ("auto", "random")
    }
    curves = bootstrap_curves(data.test.labels, flags, seed=0)
    interval = percentile_interval(
        labels_saved(SETUP.budgets, curves["auto"].accuracy, curves["random"].accuracy)
    )
    assert interval is not None
    return interval


def test_rare_topics_are_where_a_strategy_saves() -> None:
    interval = labels_saved_by_auto(rare_topics())
    assert interval.value > 0.3
    assert interval.low > 0.1


def test_nothing_is_saved_on_coin_tosses() -> None:
    interval = labels_saved_by_auto(coin_tosses())
    assert interval.low <= 0 <= interval.high


def test_the_last_batch_may_be_smaller() -> None:
    assert Setup("tfidf", {}, 25, 60).budgets.tolist() == [25, 50, 60]
    assert Setup("tfidf", {}, 25, 50).budgets.tolist() == [25, 50]
    assert Setup("tfidf", {}, 25, 10).budgets.tolist() == [10]


@pytest.fixture(scope="module")
def small() -> Gold:
    """Some texts twice."""
    rows = topics(np.random.default_rng(3), 40, skewed=True)
    return gold(rows + rows[:10], topics(np.random.default_rng(4), 20, skewed=False))


def test_a_run_is_decided_by_its_seed(small: Gold) -> None:
    setup = Setup("tfidf", {}, batch=7, budget=30)
    rows = encoded(small)
    one, again, other = (simulate(small, setup, "auto", seed, rows) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.asked, again.asked)
    np.testing.assert_array_equal(one.flags, again.flags)
    assert one.flags.shape == (5, 20, 2)
    assert one.asked.tolist() != other.asked.tolist()


def test_arms_of_a_seed_begin_alike_and_no_text_is_asked_twice(small: Gold) -> None:
    setup = Setup("tfidf", {}, batch=10, budget=40)
    rows = encoded(small)
    random, auto = (simulate(small, setup, arm, 5, rows) for arm in ("random", "auto"))
    np.testing.assert_array_equal(random.asked[:10], auto.asked[:10])
    np.testing.assert_array_equal(random.flags[0], auto.flags[0])
    assert random.asked.tolist() != auto.asked.tolist()
    for run in (random, auto):  # all 40 different texts are asked about
        assert set(small.pool.hashes[run.asked]) == set(small.pool.hashes)


def test_without_stored_features_the_texts_are_read(small: Gold) -> None:
    run = simulate(small, Setup("tfidf", {}, batch=10, budget=20), "auto", 0)
    assert (run.flags.sum(axis=-1) == 1).all()


@pytest.mark.parametrize("multi", [False, True])
def test_noise_is_the_share_of_rows_with_a_wrong_answer(multi: bool) -> None:
    rng = np.random.default_rng(0)
    n, k = 4000, 4
    labels = (rng.integers(k, size=n)[:, None] == np.arange(k)).astype(np.int8)
    part = Texts(tuple(map(str, range(n))), labels)
    data = Gold(Scheme(tuple("abcd"), multi), part, part)
    np.testing.assert_array_equal(simulated_answers(data, 0, seed=1), labels)
    answers = simulated_answers(data, 0.2, seed=1)
    wrong = (answers != labels).any(axis=1)
    assert wrong.mean() == pytest.approx(0.2, abs=0.03)
    if multi:
        assert (answers != labels)[wrong].sum(axis=1).tolist() == [1] * wrong.sum()
    else:
        assert (answers.sum(axis=1) == 1).all()
    assert simulated_answers(data, 1, seed=1).tolist() != labels.tolist()


def test_a_multi_label_scheme_is_simulated_too() -> None:
    rng = np.random.default_rng(0)
    rows = topics(rng, 90, skewed=False)
    scheme = Scheme(("early", "late"), multi=True)
    names = [row["text"].split()[0] for row in rows]
    labels = [
        [n for n, yes in zip(scheme.labels, (w < "g", w > "m"), strict=True) if yes] for w in names
    ]
    matrix = scheme.encode(labels)
    texts = tuple(row["text"] for row in rows)
    data = Gold(scheme, Texts(texts[:60], matrix[:60]), Texts(texts[60:], matrix[60:]))
    run = simulate(data, Setup("tfidf", {}, batch=10, budget=40), "auto", 0, encoded(data))
    assert run.flags.shape == (4, 30, 2)
    assert len(set(run.asked.tolist())) == 40
