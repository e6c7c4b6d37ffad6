"""Reads a text clause by clause: the reader was made for short sentences, and ads have long ones.

Only for reading: what is cut here stays one item, and tokens are where they are in the whole text.
"""

import re
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from biasloop.domain.text import MappedText
from biasloop.plugins.language.analysis import analyse
from biasloop.plugins.language.cache import CACHED_CLAUSES
from biasloop.plugins.language.data import Language
from biasloop.plugins.language.glance import glance
from biasloop.plugins.language.mentions import Analysis
from biasloop.plugins.language.repair import repaired
from biasloop.plugins.language.sentence import Unsure
from biasloop.plugins.language.tokens import tokenise

LONG = 20
"""A text of more words is cut into clauses."""

_JOINED = re.compile("(?<=[a-zß-öø-ÿ]{2})(?=[A-ZÀ-ÖØ-Þ][a-zß-öø-ÿ]{3})")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a text as it was read; `sure` says whether the cautious reader understood it."""

    analysis: Analysis
    sure: bool


def read_clauses(text: str, language: Language) -> list[Clause]:
    """The clauses of a text in order, at least one. Tokens have their places in `text`."""
    return [_read(clause, language) for clause in clauses(repaired(text, language), language)]


def clauses(text: MappedText, language: Language) -> list[MappedText]:
    """The text in parts that are read alone: cut where two sentences were run together
    ("serietàDisponibile") and, if it is long, where the language's shape `clause_ends` matches."""
    ends = {match.start() for match in _JOINED.finditer(text.text) if _joins(match, language)}
    if text.text.count(" ") >= LONG:
        ends |= {match.end() for match in language.shapes["clause_ends"].finditer(text.text)}
    places = [0, *sorted(ends - {0, len(text.text)}), len(text.text)]
    if len(places) == 2:
        return [text]
    parts = [(text.text[start:end], start, end) for start, end in pairwise(places)]
    return [MappedText.from_pieces([part]).after(text) for part in parts if part[0].strip()]


def _read(clause: MappedText, language: Language) -> Clause:
    read = _read_alone(clause.text, language)
    if clause.starts is None:
        return read
    sentence = copy(read.analysis.sentence)
    sentence.tokens = [
        token._replace(start=start, end=end)
        for token in sentence.tokens
        for start, end in [clause.original_span(token.start, token.end)]
    ]
    return Clause(Analysis(sentence, read.analysis.mentions), read.sure)


@lru_cache(CACHED_CLAUSES)
def _read_alone(text: str, language: Language) -> Clause:
    """Texts with one word erased have all other clauses in common. What is returned is shared, so
    it must stay as it is."""
    tokens = tokenise(text, language)
    try:
        return Clause(analyse(text, language, tokens), True)
    except Unsure:
        return Clause(glance(text, language, tokens), False)


def _joins(match: re.Match[str], language: Language) -> bool:
    """Whether a capital within a word begins a word of the language, and the whole is none."""
    text, place = match.string, match.start()
    start = place
    while start and text[start - 1].isalnum():
        start -= 1
    words = (_WORD.match(text, start), _WORD.match(text, place))
    whole, second = (word.group().lower() if word else "" for word in words)
    return _known(second, language) and not _known(whole, language)


def _known(word: str, language: Language) -> bool:
    lists = (language.persons, language.qualities, language.determiners, language.things)
    shapes = (language.shapes[name] for name in ("substantive", "verb_shapes"))
    return any(word in words for words in (*lists, *language.classes.values())) or any(
        shape.match(word) for shape in shapes
    )
