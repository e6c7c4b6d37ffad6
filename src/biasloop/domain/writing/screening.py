"""What is wrong with a written text, as far as the text itself tells. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from biasloop.domain.writing.synthesis import RefusalReason

WORD = re.compile(r"\w+")
LONGEST_EDIT = 0.4
"""Share of a text's words that an edit may touch, and two words in any case."""
OPENING = 4
"""Words that two texts may not begin with alike too often."""
ALIKE = 0.1
"""Share of what was asked for that may begin alike, and three texts in any case."""

META_TALK = re.compile(
    r"```|<\|?/?\w+\|?>|[{}]|https?://|\bas an? (?:ai|language model)\b|"
    r"\b(?:system|assistant|user) ?:|\bhere(?:'s| is| are) (?:a|an|the|your)\b|^sure[,!.:]|"
    r"\bignore (?:all |any )?(?:the |previous |prior |above )|\binstructions?\b.{0,20}\babove\b",
    re.IGNORECASE,
)
"""What a model says about its work, or to another model, in English, whatever the language."""


def words(text: str) -> list[str]:
    """The words of a text, without case."""
    return WORD.findall(text.casefold())


@dataclass(frozen=True, slots=True)
class TextProfile:
    """What a text of this campaign looks like: between `shortest` and `longest` words, and
    `meta_talk`, patterns in its language beyond META_TALK."""

    shortest: int
    longest: int
    meta_talk: tuple[re.Pattern[str], ...] = ()

    @classmethod
    def from_texts(cls, texts: Iterable[str], meta_talk: Iterable[str] = ()) -> "TextProfile":
        """From texts that are as they should be, with some room on both sides."""
        counts = np.array([len(words(text)) for text in texts])
        low, high = np.quantile(counts, (0.01, 0.99)) if len(counts) else (3, 60)
        patterns = tuple(re.compile(pattern, re.IGNORECASE) for pattern in meta_talk)
        return cls(max(2, int(low * 0.75)), int(np.ceil(high * 1.25)), patterns)

    def reason_to_refuse(self, text: str) -> RefusalReason | None:
        """Why a text does not look like one of them; None when it does."""
        if any(pattern.search(text) for pattern in (META_TALK, *self.meta_talk)):
            return RefusalReason.META_TALK
        if not self.shortest <= len(words(text)) <= self.longest:
            return RefusalReason.LENGTH
        return None


def is_small_edit(before: str, after: str) -> bool:
    """Whether few enough words differ between two texts: at most LONGEST_EDIT of the longer."""
    a, b = words(before), words(after)
    return _distance(a, b) <= max(2, LONGEST_EDIT * max(len(a), len(b)))


def _distance(a: Sequence[str], b: Sequence[str]) -> int:
    """Words put in, taken out or changed (Levenshtein 1966)."""
    row = list(range(len(b) + 1))
    for i, word in enumerate(a, 1):
        above, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (word != other))
    return row[-1]


def is_contained(text: str, of: str) -> bool:
    """Whether the text's words stand in the other text one after another."""
    return f" {' '.join(words(text))} " in f" {' '.join(words(of))} "


def flag_boilerplate(texts: Sequence[str], asked: int) -> list[bool]:
    """Which of the texts, out of so many that were asked for, begin as too many before them do."""
    most = max(3, int(ALIKE * asked))
    begun: Counter[tuple[str, ...]] = Counter()
    refused = []
    for text in texts:
        opening = tuple(words(text)[:OPENING])
        begun[opening] += 1
        refused.append(begun[opening] > most)
    return refused


def word_similarity(a: str, b: str) -> float:
    """Jaccard similarity of the sets of words, 0 to 1."""
    one, other = set(words(a)), set(words(b))
    return len(one & other) / len(one | other) if one | other else 1.0
