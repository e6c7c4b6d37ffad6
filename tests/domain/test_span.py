"""Spans are aligned to whole words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.span import Span, align_to_words

TEXT = "  Cerchiamo un/a operaio/a, max 30 anni: l'addetto."


@pytest.mark.parametrize(
    ("marked", "words"),
    [
        ("operai", "operaio/a"),
        (" max 30 anni: ", "max 30 anni"),
        ("x 3", "max 30"),
        ("addett", "l'addetto"),
        ("un", "un/a"),
    ],
)
def test_whole_words(marked: str, words: str) -> None:
    start = TEXT.index(marked)
    aligned = align_to_words(Span(start, start + len(marked), "age"), TEXT)
    assert aligned is not None
    assert TEXT[aligned.start : aligned.end] == words
    assert aligned.label == "age"


def test_no_word_no_span() -> None:
    assert align_to_words(Span(0, 2, "age"), TEXT) is None


@given(st.text(max_size=30), st.data())
def test_aligning_twice_changes_nothing(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    aligned = align_to_words(Span(start, end, "x"), text)
    if aligned is not None:
        assert 0 <= aligned.start < aligned.end <= len(text)
        assert align_to_words(aligned, text) == aligned
        assert text[aligned.start : aligned.end] == text[aligned.start : aligned.end].strip()
