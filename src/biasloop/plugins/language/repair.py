"""The text as it was meant: what the reader reads in place of a text with faults of form.

The repair serves reading only: ids, spans and offsets are those of the text as stored, in which
every character of the repaired text has its place.
"""

import re
from collections.abc import Callable, Iterator
from operator import methodcaller

from biasloop.domain.text import MappedText, normalise
from biasloop.plugins.language.data import Language

_BROKEN = re.compile(
    r"[ÂÃ][\u0080-\u00bf\u0152-\u0178\u02c6\u02dc\u2013-\u203a\u20ac\u2122]|â€."
    r"|Ã (?=[\s,;:.)]|$)|Ã(?= )"
)
"""UTF-8 of a letter or a mark that was read as Windows-1252 ("Ã¨" for "è", "â€™" for "’"). The
second byte of "à" is a no-break space, which may have become another space or be lost."""


def repaired(text: str, language: Language) -> MappedText:
    """The text as `normalise` returns it, with broken UTF-8 decoded again and the
    language's repairs applied (for Italian, accents that were typed as apostrophes)."""
    result = normalise(text)
    if not result.text.isascii():
        result = _replaced(result, _BROKEN, _decoded)
    for repair in language.repairs:
        if repair.sign.search(result.text):
            for pattern, replacement in repair.rules:
                result = _replaced(result, pattern, methodcaller("expand", replacement))
    return result


def _replaced(
    text: MappedText, pattern: re.Pattern[str], replacement: Callable[[re.Match[str]], str]
) -> MappedText:
    """The text with every match replaced."""
    if not pattern.search(text.text):
        return text

    def pieces() -> Iterator[tuple[str, int, int]]:
        place = 0
        for match in pattern.finditer(text.text):
            yield text.text[place : match.start()], place, match.start()
            yield replacement(match), *match.span()
            place = match.end()
        yield text.text[place:], place, len(text.text)

    return MappedText.from_pieces(list(pieces())).after(text)


def _decoded(match: re.Match[str]) -> str:
    """The character whose UTF-8 bytes were read one by one; the same text if there is none."""
    broken = match.group()
    if broken.rstrip() == "Ã":
        return "à"
    try:
        return b"".join(map(_byte, broken)).decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return broken


def _byte(character: str) -> bytes:
    """The byte that was read as this character: in Windows-1252, or in Latin-1 where that fails."""
    try:
        return character.encode("cp1252")
    except UnicodeEncodeError:
        return character.encode("latin-1")
