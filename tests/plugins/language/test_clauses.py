"""Long sentences are read clause by clause, faults of form are corrected, and places stay."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.text import MappedText
from biasloop.plugins.language.clauses import Clause, clauses, read_clauses
from biasloop.plugins.language.data import Language, read_language
from biasloop.plugins.language.repair import repaired

FOLDER = Path(__file__).parents[3] / "annotation_config" / "job_ads_it" / "counterfactual"
LANGUAGE = read_language(FOLDER)
assert LANGUAGE is not None
ITALIAN: Language = LANGUAGE

LONG = (
    "Il laboratorio, nato nel dopoguerra, cuce abiti per il teatro e per il cinema in tre sedi; "
    "sarai inserita in un reparto di otto persone, dove si taglia e si prova ogni giorno."
)

WORDS = [  # the tokens of each, as stored and as read
    [("cuoco", "cuoco")],
    [("e'", "è")],
    [("societa'", "società")],
    [("piÃ¹", "più")],
    [("lâ€™", "l’"), ("orario", "orario")],
    [("so\u00adlo", "solo")],
    [("perche\u0300", "perchè")],
    [("brava", "brava"), (";", ";")],
    [("turno", "turno"), (":", ":")],
    [("S.r.l", "Srl")],
    [("puntualità", "puntualità"), ("Disponibile", "Disponibile")],
    [("JavaScript", "JavaScript")],
]


def tokens_of(read: list[Clause]) -> list[tuple[str, int, int]]:
    return [(t.text, t.start, t.end) for c in read for t in c.analysis.sentence.tokens]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("L'orario e' flessibile", "L'orario è flessibile"),
        ("E' richiesta la disponibilita' a turni", "è richiesta la disponibilità a turni"),
        ("Chi e' gia' pratico, puo' scrivere", "Chi è già pratico, può scrivere"),
        ("la 'casa' e un po' di pane, anni '90", "la 'casa' e un po' di pane, anni '90"),
        ("SerietÃ\u00a0 e puntualitÃ no", "Serietà e puntualità no"),
        ("PerchÃ© lâ€™orto Ã¨ grande", "Perché l’orto è grande"),
        ("Verdi S.p.A. cuce abiti", "Verdi Spa cuce abiti"),
        ("Lavori sia nuovi sia di riparo", "Lavori e nuovi sia di riparo"),
    ],
)
def test_faults_of_form_are_mended_for_reading(text: str, meant: str) -> None:
    assert repaired(text, ITALIAN).text == meant


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Massima serietàDisponibile a turni", ["Massima serietà", "Disponibile a turni"]),
        ("Codice in JavaScript e LinkedIn", ["Codice in JavaScript e LinkedIn"]),
        ("Serve patente B; automunito", ["Serve patente B; automunito"]),
        (LONG, [LONG[: LONG.index(";") + 1], LONG[LONG.index(";") + 1 : LONG.index(" dove")]
         , LONG[LONG.index(" dove") :]]),
    ],
)  # fmt: skip
def test_where_a_text_is_cut(text: str, parts: list[str]) -> None:
    found = clauses(MappedText(text), ITALIAN)
    assert [part.text for part in found] == parts
    assert "".join(parts) == text


def test_a_long_sentence_is_read_as_its_clauses_are() -> None:
    surely = [clause.sure for clause in read_clauses(LONG, ITALIAN)]
    people = [
        [LONG[t.start : t.end] for t in (c.analysis.sentence.tokens[i] for i in m.words)]
        for c in read_clauses(LONG, ITALIAN)
        for m in c.analysis.mentions
    ]
    assert people == [["inserita"]]
    assert len(surely) == 3
    assert surely[1]


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=40))
def test_every_word_is_where_it_says_in_the_text(words: list[list[tuple[str, str]]]) -> None:
    text, expected = "", []
    for word in words:
        for stored, read in word:
            expected.append((read, len(text), len(text) + len(stored)))
            text += stored
        text += " "
    assert tokens_of(read_clauses(text, ITALIAN)) == expected


@given(st.text(max_size=150))
def test_any_text_is_read_and_its_words_are_in_order(text: str) -> None:
    read = read_clauses(text, ITALIAN)
    assert read
    places = [(start, end) for _, start, end in tokens_of(read)]
    assert all(0 <= start <= end <= len(text) for start, end in places)
    assert all(first[1] <= second[0] for first, second in pairwise(places))
