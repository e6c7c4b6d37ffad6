"""Texts to terms: what of a text the linear classifier counts with."""

import re
from itertools import pairwise

# "impiegato/a", "impiegato(a)", "tutt*", "un'": ending, sign and article carry the gender.
_WORD = re.compile(r"(?<=\w)[/(-][\w*@]+|[\w*@]+'?")
_ALIKE = str.maketrans({"’": "'", "ʼ": "'", "`": "'", "–": "-", "−": "-", "∗": "*"})


# Markdown emphasis around words; an asterisk that follows a letter is an open ending ("tutt*").
_EMPHASIS = re.compile(r"(?<!\w)(\*\*|__|\*|_)(?=\w)(.+?)(?<=\S)\1(?!\w)")


def unmarked(text: str) -> str:
    """The text without Markdown emphasis, which would hide that a word stands beside another."""
    return _EMPHASIS.sub(r"\2", text)


def plain(text: str) -> str:
    """The text in lower case, with one kind of apostrophe and dash."""
    return text.lower().translate(_ALIKE)


def word_ngrams(text: str) -> list[str]:
    """Words and pairs of neighbouring words."""
    words = _WORD.findall(text)
    return words + [f"{first} {second}" for first, second in pairwise(words)]


def char_ngrams(token: str, shortest: int, longest: int) -> list[str]:
    """Character n-grams of a token between blanks, so that its first and last letters show."""
    padded = f" {token} "
    return [
        padded[i : i + size]
        for size in range(shortest, longest + 1)
        for i in range(len(padded) - size + 1)
    ]
