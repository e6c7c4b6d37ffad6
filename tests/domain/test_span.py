"""Marked words, aligned to whole words."""

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
    found = align_to_words(Span(start, start + len(marked), "age"), TEXT)
    assert found is not None
    assert TEXT[found.start : found.end] == words
    assert found.label == "age"


def test_no_word_no_span() -> None:
    assert align_to_words(Span(0, 2, "age"), TEXT) is None


@given(st.text(max_size=30), st.data())
def test_aligning_twice_changes_nothing(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    found = align_to_words(Span(start, end, "x"), text)
    if found is not None:
        assert 0 <= found.start < found.end <= len(text)
        assert align_to_words(found, text) == found
        assert text[found.start : found.end] == text[found.start : found.end].strip()
