"""Finds new texts that are near-duplicates of texts in the pool.

MinHash (Broder 1997) with locality-sensitive hashing finds candidate pairs, the exact Jaccard
similarity of their words decides. The new texts are indexed and the pool is read in chunks, so
memory grows with the new texts only.
"""

from collections.abc import Iterable, Sequence

from biasloop.domain.writing.screening import words

ALIKE = 0.8
"""Jaccard similarity of the sets of words from which on two texts are near-duplicates."""
PERMUTATIONS, BANDS = 128, 16
"""A pair at ALIKE is found with probability 1 - (1 - 0.8^8)^16 = 0.95, at 0.9 with 0.9999."""
SEED = 42


class NearDuplicates:
    """An index of texts, numbered in the order of `add`."""

    def __init__(self) -> None:
        from rensa import RMinHashLSH

        self._lsh = RMinHashLSH(ALIKE, PERMUTATIONS, BANDS)
        self._sets: list[frozenset[str]] = []

    def add(self, texts: Sequence[str]) -> None:
        """Indexes more texts."""
        sets = [words(text) for text in texts]
        for number, sketch in enumerate(_sketches(sets), len(self._sets)):
            self._lsh.insert(number, sketch)
        self._sets += [frozenset(words_of_text) for words_of_text in sets]

    def similar_pairs(self, texts: Sequence[str]) -> Iterable[tuple[int, int]]:
        """(position in `texts`, number of the indexed text) of every pair of near-duplicates."""
        sets = [words(text) for text in texts]
        for position, numbers in enumerate(self._lsh.query_all(_sketches(sets))):
            if not numbers:
                continue
            own_words = frozenset(sets[position])
            for number in sorted(numbers):
                indexed_words = self._sets[number]
                if len(own_words & indexed_words) >= ALIKE * len(own_words | indexed_words):
                    yield position, number


def _sketches(sets: Sequence[Sequence[str]]) -> list[object]:
    from rensa import RMinHash

    sketches: list[object] = RMinHash.from_token_sets(sets, PERMUTATIONS, SEED)
    return sketches
