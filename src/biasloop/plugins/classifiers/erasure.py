"""Finds the words that support a verdict: removing them lowers the score (Li et al. 2016)."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from biasloop.domain.learning import Evidence
from biasloop.domain.text import normalise

_WORD = re.compile(r"\w(?:\S*[\w*])?")
_ERASED = "\N{WHITE SQUARE}"
MIN_SHARE = 0.25
"""A word counts as evidence from this share of the strongest word's weight."""

Words = Sequence[tuple[int, int]]
"""Start and end of each word of a text."""


def words_and_erased(text: str) -> tuple[Words, list[str]]:
    """The w words of a text, and w normalised copies of the text with one word each erased."""
    normal = normalise(text)
    words = [match.span() for match in _WORD.finditer(normal.text)]
    return (
        [normal.original_span(*word) for word in words],
        [normal.text[:start] + _ERASED + normal.text[end:] for start, end in words],
    )


def evidence_spans(words: Words, drops: NDArray[np.float64], label: str) -> list[Evidence]:
    """Evidence for a label, strongest first. `drops` (w,) is how far erasing each word lowers its
    score; neighbouring words are joined into one span."""
    if not words or drops.max() <= 0:
        return []
    evidence: list[Evidence] = []
    previous = -2
    for i in np.flatnonzero(drops >= MIN_SHARE * drops.max()):
        (start, end), weight = words[i], float(drops[i])
        if i == previous + 1:
            last = evidence.pop()
            start, weight = last.start, last.weight + weight
        evidence.append(Evidence(start, end, label, weight))
        previous = i
    return sorted(evidence, key=lambda span: (-span.weight, span.start))
