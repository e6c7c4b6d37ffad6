"""Splits texts into word and character n-grams for the linear classifier."""

import re
from itertools import pairwise

# "impiegato/a", "impiegato(a)", "tutt*", "un'": the ending, sign or article carries the gender.
_WORD = re.compile(r"(?<=\w)[/(-][\w*@]+|[\w*@]+'?")
_VARIANTS = {"’": "'", "ʼ": "'", "`": "'", "–": "-", "−": "-", "∗": "*"}


# Markdown emphasis around words; an asterisk after a letter is an open ending ("tutt*").
_EMPHASIS = re.compile(r"(?<!\w)(\*\*\*|\*\*|__|\*|_)(?=\w)(.+?)(?<=\S)\1(?!\w)")


def without_emphasis(text: str) -> str:
    """The text without Markdown emphasis, whose marks would separate neighbouring words."""
    return _EMPHASIS.sub(r"\2", text) if "*" in text or "_" in text else text


def lower_case(text: str) -> str:
    """The text in lower case, with one kind of apostrophe and dash."""
    text = text.lower()
    for variant, plain in _VARIANTS.items():  # several times as fast as str.translate
        text = text.replace(variant, plain)
    return text


def word_ngrams(text: str) -> list[str]:
    """Words and pairs of neighbouring words."""
    words = _WORD.findall(text)
    return words + [f"{first} {second}" for first, second in pairwise(words)]


def char_ngrams(token: str, shortest: int, longest: int) -> list[str]:
    """Character n-grams of a token with a space at both ends, which mark its start and end."""
    padded = f" {token} "
    return [
        padded[i : i + size]
        for size in range(shortest, longest + 1)
        for i in range(len(padded) - size + 1)
    ]
