"""Kinds of words as terms for the linear model.

N-grams stand for words; these terms stand for kinds of words. "un cuoco" and "un idraulico" share
the term "determiner ms | person ms", so that a form that is in no training sentence is recognised
as well.
"""

from collections.abc import Iterator
from functools import lru_cache

from biasloop.plugins.language.cache import cached_by_word
from biasloop.plugins.language.data import Cell, Language
from biasloop.plugins.language.tokens import Token, tokenise

ENDING_LENGTH = 2
"""An unknown word is represented by this many of its last letters."""


def grammar_terms(text: str, language: Language) -> Iterator[str]:
    """The class of each word that can show gender, alone and with neighbouring classes or words."""
    tokens = tokenise(text, language)
    words = ["^", *(token.lower for token in tokens), "$"]
    classes = ["^", *(_class(token, language) for token in tokens), "$"]
    for i in range(1, len(words) - 1):
        here, before, after = classes[i], classes[i - 1], classes[i + 1]
        if here.startswith(("person", "quality", "pair", "copulas")):
            yield here
            yield f"{before}|{here}"
            yield f"{words[i - 1]}|{here}"
            yield f"{here}|{after}"
            yield f"{here}|{words[i + 1]}"
            yield f"{before}|{here}|{after}"
            if i > 1:
                yield f"{classes[i - 2]}|{before}|{here}"
        elif here.startswith("determiner"):
            yield here
            yield f"{words[i]}|{after}"
        elif here.startswith("other") and before.startswith("determiner"):
            yield f"{before}|{here}"


def _class(token: Token, language: Language) -> str:
    if not token.is_word:
        return token.text
    reading = next(token.readings(), None)
    if token.paired:
        return f"pair {reading.entry.kind if reading else ''}"
    if reading is not None:
        reading = token.person or token.determiner or reading
        return _class_with_gender(reading.entry.kind, reading.entry.role, reading.cells)
    return _class_without_gender(token.lower, token.start > 0 and token.text[0].isupper(), language)


@lru_cache
def _class_with_gender(kind: str, role: str, cells: frozenset[Cell]) -> str:
    return f"{kind} {role} {' '.join(sorted(cells))}"


@cached_by_word
def _class_without_gender(word: str, capital: bool, language: Language) -> str:
    if word in language.things:
        return "thing"
    word_class = next((name for name, words in language.classes.items() if word in words), None)
    if word_class or word[0].isdigit():
        return word_class or "number"
    # A capital letter within a sentence: a title or a name ("il Project Manager").
    return "other capital" if capital else f"other {word[-ENDING_LENGTH:]}"
