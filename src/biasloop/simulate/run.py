"""Simulates one campaign: round after round the decisions of the service, without Label Studio."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Candidates, Frame, Quota, Rows, Selection
from biasloop.domain.label import Labels, LabelSource
from biasloop.domain.learning import (
    Features,
    PoolSample,
    Scores,
    Similarity,
    TrainingSet,
    sample_rows,
)
from biasloop.domain.measure.curve import Budgets, Flags
from biasloop.domain.measure.metric import flag_labels
from biasloop.plugins.registry import Kind, create
from biasloop.ports import Encoder, Strategy
from biasloop.rounds.steps.select import choose_batch
from biasloop.simulate.gold import Gold

RANDOM = "random"
"""The strategy whose items are all drawn at random; the others are compared with it."""


@dataclass(frozen=True, slots=True)
class Setup:
    """The settings that all strategies share. `batch` and `budget` are numbers of labels, `noise`
    is the share of answers that are wrong, `random_share` the share of random items in a batch."""

    classifier: str
    options: Mapping[str, Any]
    batch: int
    budget: int
    noise: float = 0.0
    random_share: float = 0.0

    @property
    def budgets(self) -> Budgets:
        """Number of labels after each round, (t,); the last batch may be smaller."""
        full = np.arange(self.batch, self.budget, self.batch)
        return np.append(full, self.budget).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Encoded:
    """The feature rows of the pool and test texts."""

    encoder: Encoder
    pool: Features
    test: Features

    def similarity(self, places: Rows) -> Similarity:
        """How alike these pool rows are; takes positions within `places`."""
        return lambda some, others: self.encoder.similarity(
            self.pool[places[some]], self.pool[places[others]]
        )


@dataclass(frozen=True, slots=True)
class SimulatedRun:
    """The outcome of a campaign: `flags` (t, n, k) are the verdicts of each round's model on the n
    test texts, `asked` (budget,) the pool rows in the order in which they were labelled."""

    flags: Flags
    asked: Rows


class Learner:
    """Trains a classifier on simulated answers: on the feature rows of pool and test if it has an
    encoder, else on their texts. `random` are the pool rows that were drawn at random."""

    def __init__(self, gold: Gold, setup: Setup, seed: int, encoded: Encoded | None) -> None:
        self.gold, self.setup, self.seed, self.encoded = gold, setup, seed, encoded
        self.answers = simulated_answers(gold, setup.noise, seed)
        self.random: Rows = np.empty(0, np.int64)
        self.classifier: Any = None

    def fit(self, asked: Rows) -> None:
        """Trains a new classifier on the answers to these pool rows."""
        self.classifier = create(Kind.CLASSIFIER, self.setup.classifier, self.setup.options)
        if self.encoded:
            self.classifier.encoder = self.encoded.encoder
        pool = self.gold.pool
        sample = sample_rows(np.setdiff1d(np.arange(len(pool.texts)), asked), self.seed)
        data = TrainingSet(
            texts=[pool.texts[row] for row in asked],
            labels=self.answers[asked],
            weights=np.ones(len(asked), np.float32),
            roots=pool.hashes[asked],
            sources=[LabelSource.HUMAN] * len(asked),
            label_names=self.gold.scheme.labels,
            multi=self.gold.scheme.multi,
            features=self.encoded.pool[asked] if self.encoded else None,
            random=np.isin(asked, self.random),
            pool=PoolSample(
                [pool.texts[row] for row in sample],
                self.encoded.pool[sample] if self.encoded else None,
            )
            if len(self.random) and len(sample)
            else None,
        )
        self.classifier.fit(data, seed=self.seed)

    def score_pool(self, needs: frozenset[str]) -> dict[str, NDArray[np.float32]]:
        """The scores of every pool row, by name (see ports.Classifier.score)."""
        if self.encoded:
            arrays = self.classifier.score_features(self.encoded.pool, needs)
        else:
            arrays = self.classifier.score(self.gold.pool.texts, needs)
        return dict(arrays)

    def scores(self, free: Rows, asked: Rows, needs: frozenset[str]) -> Scores:
        """What a strategy gets: scores of the free pool rows and of the labelled ones (`asked`)."""
        arrays = self.score_pool(needs)
        return Scores(
            {name: array[free] for name, array in arrays.items()},
            self.classifier.thresholds,
            self.gold.scheme.multi,
            {name: array[asked] for name, array in arrays.items()},
            self.answers[asked],
            self.encoded.similarity(np.append(free, asked)) if self.encoded else None,
        )

    def test_flags(self) -> Flags:
        """The model's verdicts on the test texts, (n, k)."""
        if self.encoded:
            need = frozenset({"proba"})
            proba = self.classifier.score_features(self.encoded.test, need)["proba"]
        else:
            proba = self.classifier.predict_proba(self.gold.test.texts)
        return flag_labels(proba, self.classifier.thresholds, self.gold.scheme.multi)


def simulate(
    gold: Gold, setup: Setup, strategy: str, seed: int, encoded: Encoded | None = None
) -> SimulatedRun:
    """Repeatedly chooses a batch, labels it, trains and tests, until the budget is spent.

    The first batch is random, and the same for every strategy with the same seed. `encoded` is for
    classifiers that have an encoder.
    """
    chooser: Strategy = create(Kind.STRATEGY, strategy)
    learner = Learner(gold, setup, seed, encoded)
    asked: Rows = np.empty(0, np.int64)
    flags = []
    for number, budget in enumerate(setup.budgets):
        size = int(budget) - len(asked)
        batch = choose(learner, chooser, asked, size, [seed, number])
        asked = np.append(asked, [selection.row for selection in batch])
        drawn = [s.row for s in batch if s.is_random or strategy == RANDOM]
        learner.random = np.append(learner.random, drawn)
        learner.fit(asked)
        flags.append(learner.test_flags())
    return SimulatedRun(np.stack(flags), asked)


def choose(
    learner: Learner, strategy: Strategy, asked: Rows, size: int, seeds: list[int]
) -> list[Selection]:
    """The items to label next, in the order of the batch; random when none are labelled yet."""
    hashes = learner.gold.pool.hashes
    all_candidates = Candidates(np.arange(len(hashes)), ids=hashes, hashes=hashes, roots=hashes)
    random = round(size * learner.setup.random_share)
    return choose_batch(
        Frame.fresh(all_candidates.distinct(hashes[asked])),
        Frame.fresh(all_candidates.distinct(hashes)),  # none: reports are on the test file
        Quota(acquisition=size - random, audit=0, random_train=random),
        strategy,
        (lambda rows: learner.scores(rows, asked, strategy.needs)) if len(asked) else None,
        max_per_ad=1,  # every text is an ad of its own
        seeds=seeds,
    ).selections


def simulated_answers(gold: Gold, noise: float, seed: int) -> Labels:
    """The annotator's answers for every pool row, (n, k), seeded: the true labels, except for a
    share `noise` of the rows. There the class is another one, or in a multi-label scheme one label
    is flipped."""
    rng = np.random.default_rng([seed, len(gold.pool.texts)])
    answers = gold.pool.labels.copy()
    n, k = answers.shape
    wrong = np.flatnonzero(rng.random(n) < noise)
    if gold.scheme.multi:
        answers[wrong, rng.integers(k, size=len(wrong))] ^= 1
    else:
        steps = rng.integers(1, k, size=len(wrong))
        other = (answers[wrong].argmax(axis=1) + steps) % k
        answers[wrong] = np.arange(k) == other[:, None]
    return answers
