"""One campaign, simulated: the service's own decisions, round after round, without Label Studio."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Candidates, Quota, Rows
from biasloop.domain.label import Labels, LabelSource
from biasloop.domain.learning import Features, Likeness, Scores, TrainingSet
from biasloop.domain.measure.curve import Budgets, Flags
from biasloop.domain.measure.metric import decide
from biasloop.plugins.registry import Kind, create
from biasloop.ports import Encoder, Strategy
from biasloop.rounds.steps.select import choose_batch
from biasloop.simulate.gold import Gold


@dataclass(frozen=True, slots=True)
class Setup:
    """What all strategies have in common. `noise` is the share of answers that are wrong."""

    classifier: str
    options: Mapping[str, Any]
    batch: int
    budget: int
    noise: float = 0.0

    @property
    def budgets(self) -> Budgets:
        """Labels after each round; the last batch may be a smaller one."""
        full = np.arange(self.batch, self.budget, self.batch)
        return np.append(full, self.budget).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Encoded:
    """The feature rows of pool and test."""

    encoder: Encoder
    pool: Features
    test: Features

    def likeness(self, places: Rows) -> Likeness:
        """That of these pool rows."""
        return lambda some, others: self.encoder.likeness(
            self.pool[places[some]], self.pool[places[others]]
        )


@dataclass(frozen=True, slots=True)
class SimulatedRun:
    """What came of a campaign: `flags` (t, n, k), what the model of each round says of the n test
    texts; `asked` (budget,), the pool rows in the order in which people labelled them."""

    flags: Flags
    asked: Rows


class Learner:
    """A classifier that learns from answers, over the feature rows of pool and test if it has an
    encoder, else over their texts."""

    def __init__(self, gold: Gold, setup: Setup, seed: int, encoded: Encoded | None) -> None:
        self.gold, self.setup, self.seed, self.encoded = gold, setup, seed, encoded
        self.answers = simulated_answers(gold, setup.noise, seed)
        self.classifier: Any = None

    def fit(self, asked: Rows) -> None:
        """Learns anew, from the answers to these pool rows alone."""
        self.classifier = create(Kind.CLASSIFIER, self.setup.classifier, self.setup.options)
        if self.encoded:
            self.classifier.encoder = self.encoded.encoder
        pool = self.gold.pool
        data = TrainingSet(
            texts=[pool.texts[row] for row in asked],
            labels=self.answers[asked],
            weights=np.ones(len(asked), np.float32),
            roots=pool.hashes[asked],
            sources=[LabelSource.HUMAN] * len(asked),
            label_names=self.gold.scheme.labels,
            multi=self.gold.scheme.multi,
            features=self.encoded.pool[asked] if self.encoded else None,
        )
        self.classifier.fit(data, seed=self.seed)

    def score_pool(self, needs: frozenset[str]) -> dict[str, NDArray[np.float32]]:
        """What the model gives of every pool row, by name."""
        if self.encoded:
            found = self.classifier.score_features(self.encoded.pool, needs)
        else:
            found = self.classifier.score(self.gold.pool.texts, needs)
        return dict(found)

    def scores(self, free: Rows, asked: Rows, needs: frozenset[str]) -> Scores:
        """What a strategy is told of pool rows that are free and of those that were asked."""
        arrays = self.score_pool(needs)
        return Scores(
            {name: array[free] for name, array in arrays.items()},
            self.classifier.thresholds,
            self.gold.scheme.multi,
            {name: array[asked] for name, array in arrays.items()},
            self.answers[asked],
            self.encoded.likeness(np.append(free, asked)) if self.encoded else None,
        )

    def test_flags(self) -> Flags:
        """What the model says of the test texts, (n, k)."""
        if self.encoded:
            need = frozenset({"proba"})
            proba = self.classifier.score_features(self.encoded.test, need)["proba"]
        else:
            proba = self.classifier.predict_proba(self.gold.test.texts)
        return decide(proba, self.classifier.thresholds, self.gold.scheme.multi)


def simulate(
    gold: Gold, setup: Setup, strategy: str, seed: int, encoded: Encoded | None = None
) -> SimulatedRun:
    """Chooses a batch, labels it, trains, tests, until the budget is spent.

    The first batch is drawn at random, the same for every strategy of a seed. `encoded` is for
    classifiers that have an encoder.
    """
    chooser: Strategy = create(Kind.STRATEGY, strategy)
    learner = Learner(gold, setup, seed, encoded)
    asked: Rows = np.empty(0, np.int64)
    flags = []
    for number, budget in enumerate(setup.budgets):
        size = int(budget) - len(asked)
        asked = np.append(asked, choose(learner, chooser, asked, size, [seed, number]))
        learner.fit(asked)
        flags.append(learner.test_flags())
    return SimulatedRun(np.stack(flags), asked)


def choose(
    learner: Learner, strategy: Strategy, asked: Rows, size: int, seeds: list[int]
) -> list[int]:
    """Pool rows to ask about next, in the order in which people see them; random at first."""
    hashes = learner.gold.pool.hashes
    everybody = Candidates(np.arange(len(hashes)), ids=hashes, hashes=hashes, roots=hashes)
    batch = choose_batch(
        everybody.distinct(hashes[asked]),
        everybody.distinct(hashes),  # nobody: what is reported on is the test file
        Quota(acquisition=size, audit=0, random_train=0),
        strategy,
        (lambda rows: learner.scores(rows, asked, strategy.needs)) if len(asked) else None,
        max_per_ad=1,  # every text is an ad of its own
        seeds=seeds,
    )
    return [selection.row for selection in batch]


def simulated_answers(gold: Gold, noise: float, seed: int) -> Labels:
    """What the annotator of a seed says of every pool row, (n, k): the truth, except for a share
    `noise` of the rows. There it is another class, or one label of the scheme is turned round."""
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
