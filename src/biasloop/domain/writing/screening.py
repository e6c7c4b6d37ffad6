"""Checks on texts written by a language model that need nothing but the texts. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from biasloop.domain.text import normalise
from biasloop.domain.writing.synthesis import RefusalReason

WORD = re.compile(r"\w+")
MAX_EDIT_SHARE = 0.4
"""An edit may change this share of a text's words, but always two words."""
OPENING_WORDS = 4
"""Texts have the same opening if this many words at their beginning are the same."""
MAX_OPENING_SHARE = 0.1
"""This share of the requested texts may have the same opening, but always three texts."""

META_TALK = re.compile(
    r"```|<\|?/?\w+\|?>|[{}]|https?://|\bas an? (?:ai|language model)\b|"
    r"\b(?:system|assistant|user) ?:|\bhere(?:'s| is| are) (?:a|an|the|your)\b|^sure[,!.:]|"
    r"\bignore (?:all |any )?(?:the |previous |prior |above )|\binstructions?\b.{0,20}\babove\b",
    re.IGNORECASE,
)
"""Talk about the task, or instructions to a model, in English, which models use in any campaign."""


def words(text: str) -> list[str]:
    """The words of a text, normalised and case-folded."""
    return WORD.findall(normalise(text).text.casefold())


@dataclass(frozen=True, slots=True)
class TextProfile:
    """What a text of this campaign looks like: it has `shortest` to `longest` words, and matches
    neither META_TALK nor `meta_talk`, patterns in the language of the campaign."""

    shortest: int
    longest: int
    meta_talk: tuple[re.Pattern[str], ...] = ()

    @classmethod
    def from_texts(cls, texts: Iterable[str], meta_talk: Iterable[str] = ()) -> "TextProfile":
        """From example texts; lengths a little outside the range of the examples are allowed."""
        counts = np.array([len(words(text)) for text in texts])
        low, high = np.quantile(counts, (0.01, 0.99)) if len(counts) else (3, 60)
        patterns = tuple(re.compile(pattern, re.IGNORECASE) for pattern in meta_talk)
        return cls(max(2, int(low * 0.75)), int(np.ceil(high * 1.25)), patterns)

    def reason_to_refuse(self, text: str) -> RefusalReason | None:
        """Why a text does not match the profile; None if it does."""
        if any(pattern.search(text) for pattern in (META_TALK, *self.meta_talk)):
            return RefusalReason.META_TALK
        if not self.shortest <= len(words(text)) <= self.longest:
            return RefusalReason.LENGTH
        return None


def is_small_edit(before: str, after: str) -> bool:
    """Whether at most MAX_EDIT_SHARE of the words of the longer text are changed, or two words."""
    a, b = words(before), words(after)
    return _edit_distance(a, b) <= max(2, MAX_EDIT_SHARE * max(len(a), len(b)))


def _edit_distance(a: Sequence[str], b: Sequence[str]) -> int:
    """Number of words inserted, deleted or replaced (Levenshtein 1966, "Binary codes capable of
    correcting deletions, insertions, and reversals")."""
    row = list(range(len(b) + 1))
    for i, word in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (word != other))
    return row[-1]


def is_contained(text: str, of: str) -> bool:
    """Whether the words of `text` occur in `of` as one continuous sequence."""
    return f" {' '.join(words(text))} " in f" {' '.join(words(of))} "


def flag_boilerplate(texts: Sequence[str], asked: int) -> list[bool]:
    """Flags each text whose opening too many texts before it have; `asked` is the number of texts
    that were requested."""
    limit = max(3, int(MAX_OPENING_SHARE * asked))
    counts: Counter[tuple[str, ...]] = Counter()
    flags = []
    for text in texts:
        opening = tuple(words(text)[:OPENING_WORDS])
        counts[opening] += 1
        flags.append(counts[opening] > limit)
    return flags


def word_similarity(a: str, b: str) -> float:
    """Jaccard similarity of the sets of words of two texts, 0 to 1."""
    words_a, words_b = set(words(a)), set(words(b))
    return len(words_a & words_b) / len(words_a | words_b) if words_a | words_b else 1.0
