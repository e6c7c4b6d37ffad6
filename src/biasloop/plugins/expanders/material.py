"""Which labelled texts a language model is shown: examples, and parents to rewrite."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from biasloop.domain.item import Item, Origin
from biasloop.domain.label import Scheme
from biasloop.domain.split import Split, cohort_of
from biasloop.domain.writing.synthesis import WritingKind

Labelled = tuple[Item, tuple[str, ...]]

COHORTS = 20
"""Number of groups of roots; the examples of a prompt come from one group, see `cohort_of`."""
MAX_CHARACTERS = 1_500
"""Characters of a text that may stand in a prompt."""


class Material:
    """Labelled train items in random order; none is a parent twice for the same kind and label."""

    def __init__(
        self, parents: Sequence[Labelled], scheme: Scheme, rng: np.random.Generator
    ) -> None:
        usable = [
            (item, labels)
            for item, labels in parents
            if item.split is Split.TRAIN and len(item.text) <= MAX_CHARACTERS
        ]
        self._rng = rng
        self._scheme = scheme
        self._parents = usable
        self._cohorts: dict[int, list[Labelled]] = defaultdict(list)
        for item, labels in usable:
            if item.origin is Origin.SEED:
                self._cohorts[cohort_of(item.roots[0], COHORTS)].append((item, labels))
        self._left: dict[tuple[WritingKind, str], Iterator[Labelled]] = {}

    def examples(self, label: str, n: int) -> list[Labelled]:
        """Up to n seeds of one cohort: one without the label, the others with it where there
        are any; [] without seeds."""
        with_examples = [
            number
            for number, seeds in self._cohorts.items()
            if any(label in labels for _, labels in seeds)
        ]
        numbers = sorted(with_examples or self._cohorts)
        if not numbers:
            return []
        cohort = self._shuffled(self._cohorts[int(self._rng.choice(numbers))])
        with_label = [seed for seed in cohort if label in seed[1]]
        without_label = [seed for seed in cohort if label not in seed[1]]
        return [*with_label[: max(1, n - 1)], *without_label][:n]

    def parent(self, kind: WritingKind, label: str) -> Labelled | None:
        """The next item that can be rewritten in this way, with the labels it should have then."""
        key = (kind, label)
        if key not in self._left:
            self._left[key] = (
                (item, target)
                for item, labels in self._shuffled(self._parents)
                if (target := target_labels(kind, label, labels, self._scheme))
            )
        return next(self._left[key], None)

    def _shuffled(self, labelled: Sequence[Labelled]) -> list[Labelled]:
        return [labelled[i] for i in self._rng.permutation(len(labelled))]


def target_labels(
    kind: WritingKind, label: str, labels: Sequence[str], scheme: Scheme
) -> tuple[str, ...] | None:
    """The labels that a text should have after rewriting; None where that is impossible.

    In a single-label scheme an added label replaces the other one, and none can be dropped.
    """
    has = label in labels
    match kind:
        case WritingKind.PARAPHRASE:
            return tuple(labels) if has else None
        case WritingKind.ADD if not has:
            remaining = (
                () if not scheme.multi else tuple(x for x in labels if x != scheme.none_label)
            )
            return (*remaining, label)
        case WritingKind.DROP if has and scheme.multi:
            remaining = tuple(x for x in labels if x != label)
            return remaining or ((scheme.none_label,) if scheme.none_label else None)
    return None
