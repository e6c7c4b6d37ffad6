"""The input and output of classifiers, and the input of strategies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.batch import Rows
from biasloop.domain.label import Labels, LabelSource

Proba = NDArray[np.float32]
"""Probabilities (n, k). In a single-label scheme each row sums to 1; in a multi-label scheme the
columns are independent."""


class Features(Protocol):
    """Feature rows: an array (n, d), or an encoder's own type for the same."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Any:
        """Selects rows by a slice, a mask or row numbers."""


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """The n rows that a classifier learns from; all fields are aligned.

    `labels` is (n, k), with -1 where a label was not asked about; `weights` is (n,). `roots` (n,)
    serve to keep out-of-fold predictions unbiased: all rows of a root are in the same fold.
    `features` (n, d) are the texts as encoded by the classifier's encoder, if it has one.
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
    """The result of training: `oof` (n, k), calibrated out-of-fold probabilities, with folds by
    root; `thresholds` (k,), chosen on them; `notes` for users (labels without positives, …)."""

    oof: Proba
    thresholds: NDArray[np.float32]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """Characters start..end of a text, and how strongly they support `label`."""

    start: int
    end: int
    label: str
    weight: float


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
