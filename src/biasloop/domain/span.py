"""The words of a text that carry a label, as people marked them."""

import re
from dataclasses import dataclass

_WORD = re.compile(r"\w+(?:[’'*ə@/-]\w+)*")
"""A word; "operaio/a", "l'addetto" and "tutt@i" are one."""


@dataclass(frozen=True, slots=True)
class Span:
    """Characters start..end of a text carry `label`."""

    start: int
    end: int
    label: str


def aligned(span: Span, text: str) -> Span | None:
    """The whole words that a span touches; None when it touches none."""
    touched = [
        (word.start(), word.end())
        for word in _WORD.finditer(text)
        if word.start() < span.end and word.end() > span.start
    ]
    return Span(touched[0][0], touched[-1][1], span.label) if touched else None
