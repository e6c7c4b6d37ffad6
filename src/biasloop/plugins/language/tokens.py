"""The words of a sentence and their positions; slash pairs and open endings are one word."""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import takewhile
from typing import Any, NamedTuple

from biasloop.domain.text import normalise
from biasloop.plugins.language.cache import CACHED_TEXTS, cached_by_word
from biasloop.plugins.language.data import Cell, Entry, Language, Reading

_WORD = re.compile(r"\w+(?:-\w+)*(?:[*@](?!\w))?(?:['’](?=\w))?|[^\w\s]")
_PIECE = re.compile(r"\S+")


class Token(NamedTuple):
    """A word (or a punctuation mark) at text[start:end].

    `lower` is in lower case, with a plain apostrophe. `paired` means that the word names both
    genders; its reading is then of one of them.
    """

    start: int
    end: int
    text: str
    lower: str
    is_word: bool
    person: Reading | None
    quality: Reading | None
    determiner: Reading | None
    paired: bool

    def readings(self) -> Iterator[Reading]:
        """All its readings."""
        yield from (r for r in (self.determiner, self.person, self.quality) if r is not None)


@lru_cache(CACHED_TEXTS)
def tokenise(text: str, language: Language) -> tuple[Token, ...]:
    """The tokens of the text as normalised; `start` and `end` are places in the text given. Known
    slash pairs ("il/la") are one token; words of an idiom ("sul serio") describe nobody."""
    normal = normalise(text)
    tokens = _tokens(normal.text, language)
    if normal.starts is None:
        return tuple(tokens)
    spans = (normal.original_span(token.start, token.end) for token in tokens)
    return tuple(
        token._replace(start=start, end=end)
        for token, (start, end) in zip(tokens, spans, strict=True)
    )


def _tokens(text: str, language: Language) -> list[Token]:
    idioms = deque(match.span() for match in language.shapes["idioms"].finditer(text))
    tokens: list[Token] = []
    for piece in _PIECE.finditer(text):
        place, stop = piece.span()
        while idioms and idioms[0][1] <= place:
            idioms.popleft()
        within: tuple[tuple[int, int], ...] = ()
        if idioms and idioms[0][0] < stop:
            within = tuple(_that_begin_before(stop - place, place, idioms))
        tokens += [
            Token(place + start, place + end, *rest)
            for start, end, rest in _tokens_of_piece(piece.group(), within, language)
        ]
    return tokens


def _that_begin_before(
    stop: int, place: int, idioms: Iterable[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """The first of the ordered idioms, as far as they begin before `stop`, counted from `place`."""
    counted = ((start - place, end - place) for start, end in idioms)
    return takewhile(lambda idiom: idiom[0] < stop, counted)


@cached_by_word
def _tokens_of_piece(
    text: str, idioms: Sequence[tuple[int, int]], language: Language
) -> list[tuple[int, int, tuple[Any, ...]]]:
    """The tokens of a piece of text without white space, which no token contains: start, end, and
    the other fields. `idioms` are the places in the piece of the idioms that it is part of, which
    may reach beyond it."""
    plain = [_plain(match, language) for match in _WORD.finditer(text)]
    for idiom in idioms:
        plain = [_without_person(token) if _within(token, idiom) else token for token in plain]
    return [(token.start, token.end, token[2:]) for token in _with_pairs(text, plain, language)]


def _with_pairs(text: str, plain: Sequence[Token], language: Language) -> list[Token]:
    tokens: list[Token] = []
    place = 0
    while place < len(plain):
        pair = _pair(text, plain[place : place + 3], language)
        tokens.append(pair or plain[place])
        place += 3 if pair else 1
    return tokens


def _plain(match: re.Match[str], language: Language) -> Token:
    text, word = match.group(), _lower(match.group())
    place = (match.start(), match.end(), text, word, text[0].isalnum())
    if len(word) > 2 and word[-1] in {*language.open_signs.values(), "@"}:
        return Token(*place, None, None, None, paired=True)
    return Token(
        *place,
        person=language.persons.get(word),
        quality=language.qualities.get(word),
        determiner=language.determiners.get(word),
        paired=False,
    )


def _lower(word: str) -> str:
    return word.lower().replace("’", "'")


def _within(token: Token, place: tuple[int, int]) -> bool:
    return place[0] <= token.start and token.end <= place[1]


def _without_person(token: Token) -> Token:
    """The token without the readings that name or describe a person; articles stay articles."""
    return token._replace(person=None, quality=None)


def _pair(text: str, tokens: Sequence[Token], language: Language) -> Token | None:
    """One token for "first/second" when second is the other gender of first, or its ending."""
    if len(tokens) < 3 or tokens[1].text != language.joining["pair"]:
        return None
    first, mark, second = tokens
    if first.end != mark.start or mark.end != second.start:
        return None
    rest = second.lower

    def both(reading: Reading | None) -> Reading | None:
        cells = reading.cells if reading else frozenset()
        if reading is None or not any(_completes(reading.entry, cell, rest) for cell in cells):
            return None
        numbers = {cell[1] for cell in cells if _completes(reading.entry, cell, rest)}
        return Reading(reading.entry, frozenset(g + n for g in "mf" for n in numbers))

    words = text[first.start : second.end]
    pair = Token(
        first.start,
        second.end,
        words,
        _lower(words),
        first.is_word,
        person=both(first.person),
        quality=both(first.quality),
        determiner=both(first.determiner),
        paired=True,
    )
    unknown = not any(first.readings()) and first.is_word and rest in language.rests
    return pair if any(pair.readings()) or unknown else None


def _completes(entry: Entry, cell: Cell, rest: str) -> bool:
    other = _other(cell)
    shapes: Mapping[str, str] = entry.onsets.get(other, {"other": entry.forms.get(other, "")})
    return any(shape.endswith(rest) and shape != "" for shape in shapes.values())


def _other(cell: Cell) -> Cell:
    return ("f" if cell[0] == "m" else "m") + cell[1]
