"""The words of a sentence and their positions; slash pairs and open endings are one word."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from biasloop.domain.text import normalise
from biasloop.plugins.language.data import Cell, Entry, Language, Reading

_WORD = re.compile(r"\w+(?:-\w+)*(?:[*@](?!\w))?(?:['’](?=\w))?|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Token:
    """A word (or a punctuation mark) at text[start:end].

    `paired` means that the word names both genders; its reading is then of one of them.
    """

    text: str
    start: int
    end: int
    person: Reading | None = None
    quality: Reading | None = None
    determiner: Reading | None = None
    paired: bool = False

    @property
    def lower(self) -> str:
        """Lower case, with a plain apostrophe."""
        return self.text.lower().replace("’", "'")

    @property
    def is_word(self) -> bool:
        """Whether it is a word and not a mark."""
        return self.text[0].isalnum()

    def readings(self) -> Iterator[Reading]:
        """All its readings."""
        yield from (r for r in (self.determiner, self.person, self.quality) if r is not None)


def tokenise(text: str, language: Language) -> list[Token]:
    """The tokens of the text as normalised; `start` and `end` are places in the text given. Known
    slash pairs ("il/la") are one token; words of an idiom ("sul serio") describe nobody."""
    normal = normalise(text)
    tokens = _tokens(normal.text, language)
    if normal.starts is None:
        return tokens
    spans = (normal.original_span(token.start, token.end) for token in tokens)
    return [
        replace(token, start=start, end=end)
        for token, (start, end) in zip(tokens, spans, strict=True)
    ]


def _tokens(text: str, language: Language) -> list[Token]:
    plain = [_plain(match, language) for match in _WORD.finditer(text)]
    for idiom in language.shapes["idioms"].finditer(text):
        plain = [_without_person(token) if _within(token, idiom) else token for token in plain]
    tokens: list[Token] = []
    while plain:
        pair = _pair(text, plain[:3], language)
        tokens.append(pair or plain[0])
        del plain[: 3 if pair else 1]
    return tokens


def _plain(match: re.Match[str], language: Language) -> Token:
    word = match.group().lower().replace("’", "'")
    if len(word) > 2 and word[-1] in {*language.open_signs.values(), "@"}:
        return Token(match.group(), match.start(), match.end(), paired=True)
    return Token(
        match.group(),
        match.start(),
        match.end(),
        person=language.persons.get(word),
        quality=language.qualities.get(word),
        determiner=language.determiners.get(word),
    )


def _within(token: Token, match: re.Match[str]) -> bool:
    return match.start() <= token.start and token.end <= match.end()


def _without_person(token: Token) -> Token:
    """The token without the readings that name or describe a person; articles stay articles."""
    return replace(token, person=None, quality=None)


def _pair(text: str, tokens: list[Token], language: Language) -> Token | None:
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

    pair = Token(
        text[first.start : second.end],
        first.start,
        second.end,
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
