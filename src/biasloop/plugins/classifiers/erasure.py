"""Which words carry a verdict: those whose absence lowers the score (Li et al. 2016)."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.learning import Evidence

_WORD = re.compile(r"\w(?:\S*[\w*])?")
_ERASED = "\N{WHITE SQUARE}"
STRONG = 0.25
"""Share of the strongest word's weight from which a word counts as evidence."""

Words = Sequence[tuple[int, int]]
"""Start and end of each word of a text."""


def words_and_erased(text: str) -> tuple[Words, list[str]]:
    """The w words of a text, and the w texts that each lack one of them."""
    words = [match.span() for match in _WORD.finditer(text)]
    return words, [text[:start] + _ERASED + text[end:] for start, end in words]


def spans(words: Words, drops: NDArray[np.float64], label: str) -> list[Evidence]:
    """Evidence from how far each word's erasure lowers the score, (w,); strongest first, and
    neighbouring words are one span."""
    if not words or drops.max() <= 0:
        return []
    found: list[Evidence] = []
    previous = -2
    for i in np.flatnonzero(drops >= STRONG * drops.max()):
        (start, end), weight = words[i], float(drops[i])
        if i == previous + 1:
            last = found.pop()
            start, weight = last.start, last.weight + weight
        found.append(Evidence(start, end, label, weight))
        previous = i
    return sorted(found, key=lambda span: (-span.weight, span.start))
