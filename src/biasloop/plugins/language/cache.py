"""What is cached of what was found out about words, clauses and texts, and how many results."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar, TypeVarTuple

Others = TypeVarTuple("Others")
Result = TypeVar("Result")

CACHED_WORDS = 1 << 16
"""One for each word: a few of its properties take some ten megabytes at most."""
CACHED_TEXTS = 8
"""One for each text: the parts of the reader read the same text one after the other."""
CACHED_CLAUSES = 256
"""One for each clause, of some kilobytes: more than a text has."""
CACHED_LENGTH = 100
"""Characters of the longest string that is cached as a word: what is found out about a longer one
may be hundreds of times as large as the string."""


def cached_by_word(
    function: Callable[[str, *Others], Result],
) -> Callable[[str, *Others], Result]:
    """Caches what a function finds out about a word, its first argument. What is longer than words
    are is looked at each time, so that no text can fill the memory."""
    cached = lru_cache(CACHED_WORDS)(function)

    @wraps(function)
    def look_up(word: str, /, *others: *Others) -> Result:
        return cached(word, *others) if len(word) <= CACHED_LENGTH else function(word, *others)

    return look_up
