"""Reads a text clause by clause: the reader was made for short sentences, and ads have long ones.

The cuts serve reading only: the text stays one item, and tokens have their places in all of it.
"""

import re
from collections.abc import Iterator, Sequence
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

LONG = 20
"""A text of more words is cut into clauses."""
LONGEST = 500
"""Characters of the longest clause. A longer one is cut between two words: the reader looks from
each word at all others, so that the time it takes grows with the square of the length."""
LONGEST_WORD = 100
"""Characters. What is longer is no word, and not two that were run together."""

_RUN_TOGETHER = re.compile("(?<=[a-zß-öø-ÿ]{2})(?=[A-ZÀ-ÖØ-Þ][a-zß-öø-ÿ]{3})")
"""The places where a capital follows lower case within a word ("serietàDisponibile")."""
_WORD = re.compile(r"\w+")
_AT_MOST_LONGEST = re.compile(rf"(?s:.{{1,{LONGEST}}}(?=\s)|.{{{LONGEST}}})")


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a text as it was read; `sure` says whether the cautious reader understood it."""

    analysis: Analysis
    sure: bool


def read_clauses(text: str, language: Language) -> list[Clause]:
    """The clauses of a text in order, at least one. Tokens have their places in `text`."""
    return [_read(clause, language) for clause in clauses(repaired(text, language), language)]


def clauses(text: MappedText, language: Language) -> list[MappedText]:
    """The text in parts to be read one by one: cut where two sentences were run together
    ("serietàDisponibile") and, if it is long, where the language's shape `clause_ends` matches. No
    part is longer than LONGEST."""
    ends = set(_begun_sentences(text.text, language))
    if text.text.count(" ") >= LONG:
        ends |= {match.end() for match in language.shapes["clause_ends"].finditer(text.text)}
    places = [0, *sorted(ends - {0, len(text.text)}), len(text.text)]
    if len(text.text) > LONGEST:
        places = [*_with_cuts(text.text, places), len(text.text)]
    if len(places) == 2:
        return [text]
    parts = [(text.text[start:end], start, end) for start, end in pairwise(places)]
    return [MappedText.from_pieces([part]).after(text) for part in parts if part[0].strip()]


def _read(clause: MappedText, language: Language) -> Clause:
    alone = _read_alone(clause.text, language)
    if clause.starts is None:
        return alone
    sentence = copy(alone.analysis.sentence)
    sentence.tokens = [
        token._replace(start=start, end=end)
        for token in sentence.tokens
        for start, end in [clause.original_span(token.start, token.end)]
    ]
    return Clause(Analysis(sentence, alone.analysis.mentions), alone.sure)


@lru_cache(CACHED_CLAUSES)
def _read_alone(text: str, language: Language) -> Clause:
    """The clause as it is read by itself. It is cached, because a text and the same text with one
    word erased share all other clauses; so it must not be changed."""
    try:
        return Clause(analyse(text, language), True)
    except Unsure:
        return Clause(glance(text, language), False)


def _with_cuts(text: str, places: Sequence[int]) -> Iterator[int]:
    """All places but the last, and between them those where what is too long is cut."""
    for start, end in pairwise(places):
        yield start
        cuts = _AT_MOST_LONGEST.finditer(text, start, end) if end - start > LONGEST else ()
        yield from (cut.end() for cut in cuts if cut.end() < end)


def _begun_sentences(text: str, language: Language) -> Iterator[int]:
    """The places where a capital within a word begins a word of the language, while the whole is
    not one."""
    if not _RUN_TOGETHER.search(text):
        return
    for whole in _WORD.finditer(text):
        if len(whole.group()) > LONGEST_WORD:
            continue
        for match in _RUN_TOGETHER.finditer(whole.group()):
            second = whole.group()[match.start() :].lower()
            if _known(second, language) and not _known(whole.group().lower(), language):
                yield whole.start() + match.start()


def _known(word: str, language: Language) -> bool:
    lists = (language.persons, language.qualities, language.determiners, language.things)
    shapes = (language.shapes[name] for name in ("substantive", "verb_shapes"))
    return any(word in words for words in (*lists, *language.classes.values())) or any(
        shape.match(word) for shape in shapes
    )
