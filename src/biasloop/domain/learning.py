"""The input and output of classifiers, and the input of strategies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Rows
from biasloop.domain.label import MISSING, Labels, LabelSource, Scheme

Proba = NDArray[np.float32]
"""Probabilities (n, k). In a single-label scheme each row sums to 1; in a multi-label scheme the
columns are independent."""


class Features(Protocol):
    """Feature rows: an array (n, d), or an encoder's own type for the same."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Any:
        """Selects rows by a slice, a mask or row numbers."""


POOL_SAMPLE = 2_000
"""Number of texts that stand for the pool when thresholds are set."""


def sample_rows(unlabelled: Rows, seed: int) -> Rows:
    """At most POOL_SAMPLE of these rows, drawn at random and sorted."""
    n = min(POOL_SAMPLE, len(unlabelled))
    drawn: Rows = np.sort(np.random.default_rng(seed).choice(unlabelled, n, replace=False))
    return drawn


@dataclass(frozen=True, slots=True)
class PoolSample:
    """Texts that stand for all unlabelled ones of the pool: a random sample of them. `features` are
    those of the classifier's encoder, if it has one."""

    texts: Sequence[str]
    features: Features | None = None


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """The n rows that a classifier learns from; all fields but `pool` are aligned.

    `labels` is (n, k), with -1 where a label was not asked about; `weights` is (n,). `roots` (n,)
    serve to keep out-of-fold predictions unbiased: all rows of a root are in the same fold.
    `features` (n, d) are the texts as encoded by the classifier's encoder, if it has one. `random`
    (n,) marks rows that were drawn at random from the pool, and `pool` is a sample of its
    unlabelled texts: with both, thresholds are for the pool.
    """

    texts: Sequence[str]
    labels: Labels
    weights: NDArray[np.float32]
    roots: NDArray[np.str_]
    sources: Sequence[LabelSource]
    label_names: tuple[str, ...]
    multi: bool
    features: Features | None = None
    random: NDArray[np.bool_] | None = None
    pool: PoolSample | None = None


@dataclass(frozen=True, slots=True)
class FitReport:
    """The result of training: `oof` (n, k), calibrated out-of-fold probabilities, with folds by
    root; `thresholds` (k,), chosen on them; `notes` for users (labels without positives, …);
    `scores` (n, k), the same before calibration, if the classifier gives them; `for_pool` says that
    thresholds are for the pool, not for the rows that were learned from."""

    oof: Proba
    thresholds: NDArray[np.float32]
    notes: tuple[str, ...] = ()
    scores: NDArray[np.float64] | None = None
    for_pool: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """Characters start..end of a text, and how strongly they support `label`."""

    start: int
    end: int
    label: str
    weight: float


PER_LABEL = frozenset({"proba", "passes"})
"""The scores that hold one value per label, on their last axis."""

SAME = 1e-6
"""Probabilities of a label that differ by no more than this are the same."""

Similarity = Callable[[Rows, Rows], NDArray[np.float32]]
"""Cosine similarities (n, n') of n items and n' others, as the encoder represents them. Both are
given by position: 0 … m-1 are the m candidates, m … m+l-1 the l labelled items."""


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of m candidates, and of l labelled train items.

    `arrays` holds the arrays (m, …) that the strategy needs, by name: "proba" is (m, k),
    "embedding" (m, e), "passes" (m, p, k). `thresholds` is (k,). `labelled` holds the same arrays
    (l, …) of the labelled items, and `labels` their labels (l, k). `similarity` is computed on
    demand, for the few items that a strategy asks about; None if the classifier has no encoder.
    """

    arrays: Mapping[str, NDArray[Any]]
    thresholds: NDArray[np.float32]
    multi: bool
    labelled: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    labels: Labels | None = None
    similarity: Similarity | None = None

    @property
    def has_opinion(self) -> bool:
        """Whether the model's probabilities can rank the candidates.

        Not as long as it learned from answers of one kind only (in a single-label scheme: from one
        class), nor if it gives every candidate the same probabilities: then its ranking would be
        that of the majority. Scores without probabilities are no opinion of the model to doubt.
        """
        opinions = [array for name, array in self.arrays.items() if name in PER_LABEL]
        if not opinions:
            return True
        if (
            self.labels is not None
            and len(self.labels)
            and not self._knows_two_answers(self.labels)
        ):
            return False
        return any(np.ptp(array, axis=0).max(initial=0) > SAME for array in opinions)

    def _knows_two_answers(self, labels: Labels) -> bool:
        yes = (labels == 1).any(axis=0)
        return bool((yes & (labels == 0).any(axis=0)).any()) if self.multi else yes.sum() > 1

    def under(self, scheme: Scheme, names: Sequence[str]) -> "Scores":
        """The scores of a model that learned `names`, and whose outputs are in that order, for the
        labels of the scheme that it knows; `labels` are in the order of the scheme until then."""
        known = Scheme(scheme.known_labels(names), self.multi, renamed=scheme.renamed)

        def aligned(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
            return {
                name: known.align(array, names, np.nan) if name in PER_LABEL else array
                for name, array in arrays.items()
            }

        return replace(
            self,
            arrays=aligned(self.arrays),
            thresholds=known.align(self.thresholds, names, np.nan),
            labelled=aligned(self.labelled),
            labels=self.labels
            if self.labels is None
            else known.align(self.labels, scheme.labels, MISSING),
        )

    def for_candidates(self, rows: Rows) -> "Scores":
        """Keeps only these candidates, and all labelled items; `rows` are positions, 0 … m-1."""
        m, similarity = len(next(iter(self.arrays.values()))), self.similarity
        n_labelled = 0 if self.labels is None else len(self.labels)
        positions = np.concatenate([rows, np.arange(m, m + n_labelled)])
        return replace(
            self,
            arrays={name: array[rows] for name, array in self.arrays.items()},
            similarity=similarity
            and (lambda some, others: similarity(positions[some], positions[others])),
        )
