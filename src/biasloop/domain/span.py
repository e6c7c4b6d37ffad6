"""Spans of a text that annotators marked as the reason for a label."""

import re
from dataclasses import dataclass

from biasloop.domain.text import normalise

_WORD = re.compile(r"\w+(?:[’'*ə@/-]\w+)*")
"""A word. "operaio/a", "l'addetto" and "tutt@i" are one word each."""


@dataclass(frozen=True, slots=True)
class Span:
    """The characters start..end of a text are marked with `label`."""

    start: int
    end: int
    label: str


def align_to_words(span: Span, text: str) -> Span | None:
    """Extends a span to the whole words that it touches; None if it touches none."""
    normal = normalise(text)
    words = (normal.original_span(*word.span()) for word in _WORD.finditer(normal.text))
    touched = [(start, end) for start, end in words if start < span.end and end > span.start]
    return Span(touched[0][0], touched[-1][1], span.label) if touched else None
