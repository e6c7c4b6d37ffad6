"""What classifiers learn from and say, and what strategies choose by."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Rows
from biasloop.domain.label import Labels, LabelSource

Proba = NDArray[np.float32]
"""Probabilities, shape (n, k). Multi-label: each column for itself; single-label: rows sum to 1."""


class Features(Protocol):
    """Feature rows: an array (n, d), or what an encoder has instead of one."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Any:
        """These rows, by a slice, a mask or row numbers."""


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """What a classifier learns from; all aligned, n rows.

    `labels` is (n, k) with -1 where a label was not asked about; `weights` (n,) float;
    `roots` (n,) keeps out-of-fold predictions honest: folds never cut a root. `features` (n, d)
    are the rows that the classifier's encoder made of the texts, where it has one.
    """

    texts: Sequence[str]
    labels: Labels
    weights: NDArray[np.float32]
    roots: NDArray[np.str_]
    sources: Sequence[LabelSource]
    label_names: tuple[str, ...]
    multi: bool
    features: Features | None = None


@dataclass(frozen=True, slots=True)
class FitReport:
    """What training found out: `oof` (n, k) out-of-fold probabilities by root, calibrated;
    `thresholds` (k,) chosen on them; `notes` in words (labels without positives, …)."""

    oof: Proba
    thresholds: NDArray[np.float32]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """Words that carry a verdict: characters start..end of the text speak for `label`."""

    start: int
    end: int
    label: str
    weight: float


Similarity = Callable[[Rows, Rows], NDArray[np.float32]]
"""How alike items are to an encoder, by positions: 0 … m-1 are the candidates, m … m+l-1 the
labelled items. Cosines (n, n') of n items with n' others."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What score stored, for m candidates, and beside it of l labelled train items.

    `arrays` holds what the strategy needs, by name, each of shape (m, …): "proba" is (m, k),
    "embedding" (m, e), "passes" (m, p, k). `thresholds` is (k,). `labelled` holds the same arrays
    of the labelled items, (l, …), and `labels` what they are labelled with, (l, k). `likeness` is
    worked out for the few items that a strategy asks it about, never stored; None for a classifier
    without an encoder.
    """

    arrays: Mapping[str, NDArray[Any]]
    thresholds: NDArray[np.float32]
    multi: bool
    labelled: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    labels: Labels | None = None
    similarity: Similarity | None = None

    def for_candidates(self, rows: Rows) -> "Scores":
        """The scores of these candidates only."""
        m, likeness = len(next(iter(self.arrays.values()))), self.similarity
        known = 0 if self.labels is None else len(self.labels)
        places = np.concatenate([rows, np.arange(m, m + known)])
        return replace(
            self,
            arrays={name: array[rows] for name, array in self.arrays.items()},
            similarity=likeness and (lambda some, others: likeness(places[some], places[others])),
        )
