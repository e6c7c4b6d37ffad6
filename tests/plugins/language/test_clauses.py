"""Long sentences are read clause by clause, faults of form are corrected, and places stay."""

import gc
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.text import MappedText
from biasloop.plugins.classifiers.terms.grammar import grammar_terms
from biasloop.plugins.classifiers.terms.reader import reader_terms
from biasloop.plugins.language.cache import CACHED_LENGTH
from biasloop.plugins.language.clauses import LONGEST, Clause, clauses, read_clauses
from biasloop.plugins.language.cues import cue_terms
from biasloop.plugins.language.data import Language, read_language
from biasloop.plugins.language.repair import repaired
from biasloop.plugins.language.tokens import tokenise

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


@given(st.text("aà'. \n;,", max_size=40), st.integers(1, 60), st.text("bÈ \t", max_size=600))
def test_no_clause_is_longer_than_the_reader_reads_in_time(part: str, n: int, rest: str) -> None:
    text = MappedText(part * n + rest)
    found = clauses(text, ITALIAN)
    assert all(len(clause.text) <= LONGEST for clause in found)
    assert "".join("".join(clause.text.split()) for clause in found) == "".join(text.text.split())


def test_a_clause_that_is_too_long_is_cut_between_words() -> None:
    found = clauses(MappedText("brava " * 300), ITALIAN)
    assert len(found) > 1
    assert {word for clause in found for word in clause.text.split()} == {"brava"}


def test_a_word_longer_than_words_are_is_not_searched_for_two_words() -> None:
    assert len(clauses(MappedText("serietàDisponibile" * 2), ITALIAN)) > 1
    assert len(clauses(MappedText("serietàDisponibile" * 8), ITALIAN)) == 1


@given(st.lists(st.sampled_from(["sul serio", "cuoco", "bravo,", "seria"]), max_size=30))
def test_no_word_of_an_idiom_describes_anybody(parts: list[str]) -> None:
    in_idiom = [part.startswith("sul") for part in parts for _ in part.split()]
    words = [token for token in tokenise(" ".join(parts), ITALIAN) if token.is_word]
    for token, described in zip(words, in_idiom, strict=True):
        assert (token.person is None and token.quality is None) == described


WORD_READERS = (grammar_terms, reader_terms, lambda text, language: cue_terms(text, language.cues))


def cached_words() -> int:
    """How many results all caches hold that are larger than those of clauses and texts."""
    kind = type(lru_cache(lambda: None))  # not isinstance, which asks objects that warn
    caches = [thing for thing in gc.get_objects() if type(thing) is kind]
    infos = [
        cache.cache_info() for cache in caches if cache.__module__.startswith("biasloop.plugins")
    ]
    return sum(info.currsize for info in infos if info.maxsize is None or info.maxsize > 1_000)


@pytest.mark.parametrize("shape", ["{}", "un {}", "{}mente", "{}/a", "{};{}", "cuoco-{}", "{}ato"])
def test_what_is_longer_than_words_are_is_not_remembered(shape: str) -> None:
    def read(letter: str) -> None:
        for terms in WORD_READERS:
            list(terms(f"Cerchiamo {shape.format(letter * 150, letter * 150)} serio.", ITALIAN))

    read("o")
    before = cached_words()
    assert before > 0
    read("b")
    assert cached_words() == before


def test_what_is_longer_than_words_are_is_read_all_the_same() -> None:
    assert len(tokenise("a;" * (CACHED_LENGTH // 2 + 1), ITALIAN)) == CACHED_LENGTH + 2
