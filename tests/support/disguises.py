"""Ways to write a text so that people see no difference but programs do."""

import re
import unicodedata
from collections.abc import Callable

IGNORABLE = (
    "\u00ad", "\u034f", "\u061c", "\u200b", "\u200c", "\u200d", "\u200e", "\u2060", "\u2063",
    "\ufe0f", "\ufeff", "\U000e0020",
)  # fmt: skip
LIGATURES = {"ffi": "\ufb03", "ffl": "\ufb04", "ff": "\ufb00", "fi": "\ufb01", "fl": "\ufb02"}


def into_words(mark: str) -> Callable[[str], str]:
    """Writes a mark into the middle of every word of at least four letters. Capitals stay whole,
    since a line that begins with one need not continue a word."""

    def change(match: re.Match[str]) -> str:
        middle = len(match[0]) // 2
        if not match[0][middle].islower():
            return match[0]
        return match[0][:middle] + mark + match[0][middle:]

    return lambda text: re.sub(r"[^\W\d_]{4,}", change, text)


def with_ligatures(text: str) -> str:
    """The text as a typesetter's program writes it."""
    for letters, ligature in LIGATURES.items():
        text = text.replace(letters, ligature)
    return text


DISGUISES: dict[str, Callable[[str], str]] = {
    "NFD": lambda text: unicodedata.normalize("NFD", text),
    "soft hyphens": into_words("\u00ad"),
    "zero-width spaces": into_words("\u200b"),
    "word joiners": into_words("\u2060"),
    "byte order marks": into_words("\ufeff"),
    "variation selectors": into_words("\ufe0f"),
    "words broken at line ends": into_words("-\n"),
    "soft hyphens at line ends": into_words("\u00ad\r\n"),
    "ligatures": with_ligatures,
    "no-break spaces": lambda text: text.replace(" ", "\u00a0"),
    "narrow no-break spaces": lambda text: text.replace(" ", "\u202f"),
    "full-width letters": lambda text: re.sub(
        "[A-Za-z0-9]", lambda match: chr(ord(match[0]) + 0xFEE0), text
    ),
}
"""By name: ways to write the same text to the eye."""
