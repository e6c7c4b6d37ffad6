"""One form for everything that looks the same, with the place of each character in the original."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biasloop.domain.item import text_hash
from biasloop.domain.span import Span, align_to_words
from biasloop.domain.text import (
    MAX_MARKS,
    MappedText,
    in_compatibility_form,
    in_one_line,
    normalise,
)
from biasloop.domain.writing.screening import words
from support.disguises import DISGUISES, IGNORABLE

ODD = st.text(
    st.one_of(
        st.sampled_from([*"aeàEn-º½1 \n\r\u2028", "\u0301", "\u0327", *IGNORABLE]),
        st.sampled_from("\u00a0\u202f\u3000\ufb01\ufb05\uff21\uff0d\uff76\uff9e\u2011\u1100\u1161"),
        st.characters(),
    ),
    max_size=40,
)


@given(ODD)
def test_a_normalised_text_is_composed_and_stays_as_it_is(text: str) -> None:
    normal = normalise(text).text
    assert unicodedata.is_normalized("NFC", normal)
    assert not set(normal) & set(IGNORABLE)
    again = normalise(normal)
    assert again.text == normal
    assert again.starts is None, "a plain text is not copied character by character"


@given(ODD)
def test_every_character_has_its_place_in_the_original(text: str) -> None:
    normal = normalise(text)
    places = [normal.original_span(i, i + 1) for i in range(len(normal.text))]
    assert places == sorted(places)
    for character, (start, end) in zip(normal.text, places, strict=True):
        assert 0 <= start < end <= len(text)
        assert character in normalise(text[start:end]).text or character in "-"
    for i, (start, end) in enumerate(places):
        first, last = normal.span_of_original(start, end)
        assert first <= i < last


@given(st.text(st.sampled_from("abcdàèìòù ,.;:!?()«»’0123456789ºª½€•–\n"), max_size=60))
def test_plain_text_is_left_alone(text: str) -> None:
    assert normalise(text) == MappedText(text)


@given(ODD)
def test_white_space_is_one_space_where_a_line_ends_and_else_as_it_is(text: str) -> None:
    line = in_one_line(text)
    assert len(line.splitlines()) <= 1
    assert line.split() == normalise(text).text.split()
    assert in_one_line(line) == line
    assert in_one_line("a  b\t\r\n   c\u2028d") == "a  b c d"


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("cam\u00aderiera", "cameriera"),
        ("cam\u200b\u2060\ufefferiera", "cameriera"),
        ("perche\u0301", "perché"),
        ("perche\u00ad\u0301", "perché"),
        ("e\ufb03cace, \ufb01lo, \ufb05ar", "efficace, filo, star"),
        ("ＣＡＭＥＲＩＥＲＡ", "CAMERIERA"),
        ("età\u00a0massima\u202f30\u3000anni", "età massima 30 anni"),
        ("came-\nriera", "cameriera"),
        ("came\u2010 \r\n riera", "cameriera"),
        ("came\u00ad\nriera", "cameriera"),
        ("part\u2011time", "part-time"),
        ("- uno\n- due", "- uno\n- due"),
        ("Emilia-\nRomagna", "Emilia-\nRomagna"),
        ("came-\n\nriera", "came-\n\nriera"),
        ("1º livello, 2ª sede, ½ giornata", "1º livello, 2ª sede, ½ giornata"),
        ("❤\ufe0f ok", "❤ ok"),
    ],
)
def test_examples(text: str, normal: str) -> None:
    assert normalise(text).text == normal


@given(
    st.text(st.sampled_from("\u0301\u0316\u0327\u064b\u0e31"), min_size=1, max_size=4),
    st.sampled_from(["a", "è", "\u2026", "\uff21", ""]),
    st.integers(2_000, 4_000),
)
@settings(max_examples=20)
def test_a_character_keeps_some_marks_and_no_time_is_lost_on_the_rest(
    marks: str, character: str, times: int
) -> None:
    # Composing them all would take minutes: the time grows with the square of their number.
    text = f"uno {character}{marks * times} due"
    for form in (normalise(text).text, in_compatibility_form(text)):
        assert len(form) <= len("uno ... due") + MAX_MARKS
        assert form.startswith("uno ")
        assert form.endswith(" due")
    assert text_hash(text) == text_hash(normalise(text).text)
    start, end = normalise(text).span_of_original(len(text) - 3, len(text))
    assert normalise(text).text[start:end] == "due"


@pytest.mark.parametrize("signs", ["\u2026" * 50, "\u2014" * 50, "\U0001f600" * 50, "à" * 50])
def test_signs_that_are_no_marks_all_stay(signs: str) -> None:
    assert normalise(signs).text == in_compatibility_form(signs).replace("...", "\u2026") == signs


@pytest.mark.parametrize("disguise", DISGUISES.values(), ids=DISGUISES)
def test_words_hashes_and_spans_see_through_a_disguise(disguise) -> None:
    text = "L’età della cameriera è di 30 anni: efficace, perché flessibile e paziente."
    disguised = disguise(text)
    assert disguised != text
    assert normalise(disguised).text == text
    assert words(disguised) == words(text)
    assert text_hash(disguised) == text_hash(text)
    start, end = normalise(disguised).span_of_original(0, len(disguised))
    assert (start, end) == (0, len(text))
    marked = align_to_words(Span(0, 2, "age"), disguised)
    assert marked is not None
    assert normalise(disguised[marked.start : marked.end]).text == "L’età"
