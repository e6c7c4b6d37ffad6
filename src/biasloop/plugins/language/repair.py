"""The text as it was meant to look: what the reader reads in place of a text with faults of form.

Only for reading: ids, spans and offsets are those of the text as stored, and every character of the
repaired text knows its place there.
"""

import re
from collections.abc import Iterator

from biasloop.domain.text import MappedText, normalise
from biasloop.plugins.language.data import Language

_BROKEN = re.compile(
    r"[ÂÃ][\u0080-\u00bf\u0152-\u0178\u02c6\u02dc\u2013-\u203a\u20ac\u2122]|â€."
    r"|Ã (?=[\s,;:.)]|$)|Ã(?= )"
)
"""UTF-8 of a letter or a mark that was read as Windows-1252 ("Ã¨" for "è", "â€™" for "’"). The
second byte of "à" is a no-break space, which may have become another space or be lost."""


def repaired(text: str, language: Language) -> MappedText:
    """The text as `normalise` returns it, with broken UTF-8 mended and with the language's
    repairs (for Italian, accents that were typed as apostrophes)."""
    mended = normalise(text)
    if not mended.text.isascii():
        mended = _replaced(mended, _BROKEN, None)
    for repair in language.repairs:
        if repair.sign.search(mended.text):
            for pattern, replacement in repair.rules:
                mended = _replaced(mended, pattern, replacement)
    return mended


def _replaced(text: MappedText, pattern: re.Pattern[str], replacement: str | None) -> MappedText:
    """The text with every match replaced, by `replacement` or by what its bytes are in UTF-8."""

    if not pattern.search(text.text):
        return text

    def pieces() -> Iterator[tuple[str, int, int]]:
        place = 0
        for match in pattern.finditer(text.text):
            yield text.text[place : match.start()], place, match.start()
            new = _decoded(match.group()) if replacement is None else match.expand(replacement)
            yield new, *match.span()
            place = match.end()
        yield text.text[place:], place, len(text.text)

    return MappedText.from_pieces(list(pieces())).after(text)


def _decoded(broken: str) -> str:
    """The character whose UTF-8 bytes were read one by one; the same text if there is none."""
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
