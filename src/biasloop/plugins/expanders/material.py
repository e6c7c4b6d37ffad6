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
"""Parts of the roots; the examples of one prompt come from one of them, see `cohort_of`."""
MAX_CHARACTERS = 1_500
"""Characters of a text that may stand in a prompt."""


class Material:
    """Labelled train items in an order of chance; none is given out twice for the same thing."""

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
        """Up to n seeds of one cohort: one without the label, the others with it if there are
        such; [] without seeds."""
        having = [
            number
            for number, seeds in self._cohorts.items()
            if any(label in labels for _, labels in seeds)
        ]
        numbers = sorted(having or self._cohorts)
        if not numbers:
            return []
        cohort = self._shuffled(self._cohorts[int(self._rng.choice(numbers))])
        having_it = [seed for seed in cohort if label in seed[1]]
        lacking_it = [seed for seed in cohort if label not in seed[1]]
        return [*having_it[: max(1, n - 1)], *lacking_it][:n]

    def parent(self, kind: WritingKind, label: str) -> Labelled | None:
        """The next item that can be rewritten so, with the labels that it shall have then."""
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
    """What a text with these labels shall carry once it is rewritten; None where that cannot be.

    In a single-label scheme a label is brought in by taking the other's place, and none can be
    dropped.
    """
    has = label in labels
    match kind:
        case WritingKind.PARAPHRASE:
            return tuple(labels) if has else None
        case WritingKind.ADD if not has:
            kept = () if not scheme.multi else tuple(x for x in labels if x != scheme.none_label)
            return (*kept, label)
        case WritingKind.DROP if has and scheme.multi:
            kept = tuple(x for x in labels if x != label)
            return kept or ((scheme.none_label,) if scheme.none_label else None)
    return None
