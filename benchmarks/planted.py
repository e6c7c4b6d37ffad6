"""A pool of made-up sentences with planted labels, most of them rare.

A sentence is a bag of 8 to 30 words, from a Zipf-distributed vocabulary and from one of 40 topics.
A label can be expressed in five ways, the first being the most common (1/rank), and each typical of
four of the topics; a sentence with the label holds two of the four cue words of one way. A tenth of
these sentences have no cue (no model could learn them). As hard negatives, sentences without the
label hold one cue word: twice as many as there are sentences with a rare label. No number here was
changed after results were seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.label import Labels
from biasloop.plugins.classifiers.terms.term_rows import TermRows

COMMON, RARE = (0.25, 0.10), (0.02, 0.02, 0.02, 0.02)
SHARES = (*COMMON, *RARE)
"""Share of the sentences that have each label."""
RARE_LABELS = slice(len(COMMON), len(SHARES))

WORDS, TOPICS, TOPIC_WORDS = 8_000, 40, 60
WAYS, CUES, HOMES = 5, 4, 4
UNSAID, HARD = 0.1, 0.04
DIMENSIONS = 64


@dataclass(frozen=True, slots=True)
class Planted:
    """n sentences: terms as a classifier's rows, embeddings (n, 64), labels (n, 6)."""

    features: TermRows
    embedding: NDArray[np.float32]
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, rows: NDArray[np.int64] | slice) -> "Planted":
        """These sentences."""
        return Planted(self.features[rows], self.embedding[rows], self.labels[rows])


def plant_sentences(
    n: int,
    seed: int,
    *,
    shares: Sequence[float] = SHARES,
    topics_from: range = range(TOPICS),
    draw: int | None = None,
) -> Planted:
    """Makes n sentences with these shares of labels, on these topics. Another seed gives another
    vocabulary, topics and cues; another `draw` gives other sentences with the same ones."""
    rng = np.random.default_rng(seed)
    words = rng.permutation(WORDS)
    frequency = (1 / np.arange(1, WORDS + 1)).cumsum() / (1 / np.arange(1, WORDS + 1)).sum()
    topic_words = rng.integers(WORDS, size=(TOPICS, TOPIC_WORDS))
    cue_of = WORDS + np.arange(len(shares) * WAYS * CUES).reshape(len(shares), WAYS, CUES)
    homes = rng.integers(TOPICS, size=(len(shares), WAYS, HOMES))
    way_shares = (1 / np.arange(1, WAYS + 1)) / (1 / np.arange(1, WAYS + 1)).sum()

    if draw is not None:
        rng = np.random.default_rng([seed, draw])
    labels = (rng.random((n, len(shares))) < shares).astype(np.int8)
    topics = rng.integers(topics_from.start, topics_from.stop, size=n)
    sentences = []
    for i in range(n):
        cues: list[int] = []
        for j, label in enumerate(labels[i]):
            way = rng.choice(WAYS, p=way_shares)
            if label and rng.random() >= UNSAID:
                cues += rng.choice(cue_of[j, way], 2, replace=False).tolist()
                if rng.random() < 0.5:
                    topics[i] = topics_from[rng.choice(homes[j, way]) % len(topics_from)]
            elif not label and rng.random() < HARD:
                cues.append(int(rng.choice(cue_of[j, way])))
        size = rng.integers(8, 31)
        common = words[np.searchsorted(frequency, rng.random(size)).clip(max=WORDS - 1)]
        own = rng.choice(topic_words[topics[i]], size)
        sentences.append(np.unique([*np.where(rng.random(size) < 0.3, own, common), *cues]))
    lengths = np.array([len(sentence) for sentence in sentences])
    terms = np.concatenate(sentences).astype(np.int32)
    features = TermRows(terms, np.concatenate([[0], lengths.cumsum()]), 1, WORDS + int(cue_of.size))
    return Planted(features, _embedding(features, rng), labels)


def _embedding(features: TermRows, rng: np.random.Generator) -> NDArray[np.float32]:
    """A random projection of the TF-IDF rows, as the linear classifier's encoder makes it."""
    from biasloop.plugins.classifiers.terms.weighting import TermWeighting

    rows = TermWeighting.fit(features).matrix(features)
    return np.asarray(rows @ rng.standard_normal((rows.shape[1], DIMENSIONS)), np.float32)
