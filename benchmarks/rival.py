"""small-text's own learner, as an arm of a simulation: PoolBasedActiveLearner with BreakingTies.

It chooses, stores the labels and trains; the simulation only answers and tests. Its first labels
are those of our random arm with the same seed, and duplicate texts in the pool are ignored, as our
arms do, so that only the learner differs.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from small_text import (
    BreakingTies,
    Classifier,
    PoolBasedActiveLearner,
    QueryStrategy,
    RandomSampling,
    SklearnClassifierFactory,
    SklearnDataset,
)
from small_text.classifiers.factories import AbstractClassifierFactory

from biasloop.domain.measure.curve import Flags
from biasloop.plugins.classifiers.deep.sentence_encoder import SentenceEncoder
from biasloop.plugins.registry import Kind, create
from biasloop.plugins.strategies.small_text import numpy_seed
from biasloop.ports import Strategy
from biasloop.simulate.gold import Gold
from biasloop.simulate.run import Encoded, Learner, Setup, SimulatedRun, choose, simulate

SMALL_TEXT = "small_text"
"""small-text's learner with our classifier."""
SKLEARN, SKLEARN_RANDOM = "sklearn", "sklearn_random"
"""The same with scikit-learn's TF-IDF and logistic regression, and its random baseline."""
AGAIN = "random_again"
"""Random with other seeds: what is measured where there is no difference."""
OTHER_SEEDS = 1000
EARLIER = "last_layer_random"
"""`embedding` as it was at 0a57e93, with random labels: the last layer alone, standardised."""
EARLIER_STRENGTH = 0.005


def run_arm(gold: Gold, setup: Setup, arm: str, seed: int, encoded: Encoded | None) -> SimulatedRun:
    """One of the arms above, or a strategy of ours."""
    if arm == AGAIN:
        return simulate(gold, setup, "random", seed + OTHER_SEEDS, encoded)
    if arm == EARLIER:
        return _last_layer(gold, setup, seed, encoded)
    if arm == SMALL_TEXT:
        return _small_text(gold, setup, seed, encoded)
    if arm in (SKLEARN, SKLEARN_RANDOM):
        strategy = BreakingTies() if arm == SKLEARN else RandomSampling()
        return _sklearn(gold, setup, seed, strategy)
    return simulate(gold, setup, arm, seed, encoded)


def _last_layer(gold: Gold, setup: Setup, seed: int, encoded: Encoded | None) -> SimulatedRun:
    assert encoded is not None
    states: Any = encoded.encoder
    encoder = SentenceEncoder(states.states.pretrained, states.states.max_length, "last")

    def last_layer(features: Any) -> Any:
        rows = np.asarray(features.states[:, -encoder.width :], np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    earlier = replace(setup, options={**setup.options, "strength": EARLIER_STRENGTH})
    rows = Encoded(encoder, last_layer(encoded.pool), last_layer(encoded.test))
    return simulate(gold, earlier, "random", seed, rows)


class OurClassifier(Classifier):  # type: ignore[misc]
    """A classifier of ours to small-text; its data set's only column is the pool row."""

    def __init__(self, learner: Learner) -> None:
        self.learner = learner

    def fit(self, train_set: Any, weights: Any = None) -> "OurClassifier":
        """Trains on the answers to these rows, which are those that small-text was given."""
        self.learner.fit(_rows(train_set))
        return self

    def predict_proba(self, data_set: Any) -> Any:
        """Of these pool rows, (n, k)."""
        return self.learner.score_pool(frozenset({"proba"}))["proba"][_rows(data_set)]

    def predict(self, data_set: Any, return_proba: bool = False) -> Any:
        """Classes, and probabilities if asked for."""
        proba = self.predict_proba(data_set)
        return (proba.argmax(axis=1), proba) if return_proba else proba.argmax(axis=1)


class OurFactory(AbstractClassifierFactory):  # type: ignore[misc]
    """Hands out classifiers of ours."""

    def __init__(self, learner: Learner) -> None:
        self.learner = learner

    def new(self) -> OurClassifier:
        """A new untrained classifier."""
        return OurClassifier(self.learner)


def _small_text(gold: Gold, setup: Setup, seed: int, encoded: Encoded | None) -> SimulatedRun:
    learner = Learner(gold, setup, seed, encoded)
    rows = sparse.csr_matrix(np.arange(len(gold.pool.texts))[:, None])
    active = PoolBasedActiveLearner(
        OurFactory(learner),
        BreakingTies(),
        SklearnDataset(rows, _classes(learner), target_labels=np.arange(len(gold.scheme.labels))),
    )
    return _run(active, learner, setup, seed, lambda _: learner.test_flags())


def _sklearn(gold: Gold, setup: Setup, seed: int, strategy: QueryStrategy) -> SimulatedRun:
    vectorizer = TfidfVectorizer(sublinear_tf=True)
    pool = vectorizer.fit_transform(gold.pool.texts)
    test = vectorizer.transform(gold.test.texts)
    k = len(gold.scheme.labels)
    factory = SklearnClassifierFactory(LogisticRegression(max_iter=1000), k)
    learner = Learner(gold, setup, seed, None)
    active = PoolBasedActiveLearner(
        factory, strategy, SklearnDataset(pool, _classes(learner), target_labels=np.arange(k))
    )

    def test_flags(trained: Any) -> Flags:
        return np.asarray(trained.model.predict(test)[:, None] == np.arange(k))

    return _run(active, learner, setup, seed, test_flags)


def _run(active: Any, learner: Learner, setup: Setup, seed: int, test_flags: Any) -> SimulatedRun:
    classes, hashes = _classes(learner), learner.gold.pool.hashes
    random: Strategy = create(Kind.STRATEGY, "random")
    nothing = np.empty(0, np.int64)
    batch = choose(learner, random, nothing, int(setup.budgets[0]), [seed, 0])
    first = learner.random = np.array([selection.row for selection in batch])
    twice = np.setdiff1d(np.arange(len(hashes)), np.unique(hashes, return_index=True)[1])
    # An ignored row must not be a labelled one: our random arm asks about first occurrences only.
    with numpy_seed(seed):
        active.initialize_data(first, classes[first], indices_ignored=twice)
        flags = [test_flags(active.classifier)]
        for size in np.diff(setup.budgets):
            asked = active.query(num_samples=int(size))
            active.update(classes[asked])
            flags.append(test_flags(active.classifier))
    return SimulatedRun(np.stack(flags), active.indices_labeled)


def _classes(learner: Learner) -> Any:
    return learner.answers.argmax(axis=1)


def _rows(data_set: Any) -> Any:
    return np.asarray(data_set.x.todense(), dtype=np.int64).ravel()
