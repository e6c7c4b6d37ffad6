"""Cutting ads into sentences: properties of any text, and typical cases in ads."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentencex import get_sentence_boundaries

from biasloop.domain.text import normalise
from biasloop.intake import sentences as module
from biasloop.intake.lines import WRAPPED_CHARACTERS
from biasloop.intake.sentences import MAX_WORDS, sentences
from support.disguises import DISGUISES

FRAGMENTS = [
    "Cercasi", "commessa", "S.p.A.", "n. 1", "D.Lgs.", "198/2006", "l’art.", ".NET", "È", "🎉",
    "•", "- ", "* ", "**", "_", "###", "1. ", "a) ", ". ", "; ", "! ", "…", "“", "”", "’", "(", ")",
    "\n", "\r\n", "\u2028", "\t", " ", "\u200b", "\ud800", "\x00",
]  # fmt: skip
AD_LIKE = st.lists(st.sampled_from(FRAGMENTS), max_size=60).map("".join)


@given(st.one_of(AD_LIKE, st.text(), st.text(st.characters())), st.sampled_from(["it", "", "zz"]))
def test_spans_are_ordered_disjoint_and_have_letters(text: str, language: str) -> None:
    spans = sentences(text, language)
    end = 0
    for start, stop in spans:
        assert end <= start < stop <= len(text)
        assert text[start:stop] == text[start:stop].strip()
        assert any(map(str.isalpha, text[start:stop]))
        end = stop
    assert spans == sentences(text, language)


@given(AD_LIKE)
def test_a_line_break_in_a_sentence_is_before_a_small_letter_or_after_a_long_line(
    text: str,
) -> None:
    """Except where a hyphen breaks a word; for the words of a language see test_lines.py."""
    for start, stop in sentences(text, ""):
        for before, after in pairwise(normalise(text[start:stop]).text.splitlines()):
            assert (
                next(filter(str.isalnum, after), "A").islower() or len(before) >= WRAPPED_CHARACTERS
            )


@given(st.lists(st.from_regex(r"[A-Z][a-z]{3,8}( [a-z]{3,8}){1,6}", fullmatch=True), max_size=8))
def test_no_word_is_lost(lines: list[str]) -> None:
    text = "\n\n• ".join(lines)
    assert [text[start:stop] for start, stop in sentences(text, "it")] == lines


def cut(text: str, language: str = "it") -> list[str]:
    return [text[start:stop] for start, stop in sentences(text, language)]


@pytest.mark.parametrize(
    "whole",
    [
        "La Rossi S.p.A. è alla ricerca di n. 1 addetto/a.",
        "Ricerchiamo un/a amm.vo/a con esperienza.",
        "Annuncio rivolto ad ambo i sessi (L. 903/77).",
        "Ai sensi del D.Lgs. 198/2006 e ss.mm.ii. e dell’art. 13 del Reg. UE 679/2016.",
        "Ai sensi del D. Lgs. n. 198/2006 l’offerta è aperta a tutti.",
        "Cerchiamo figure diverse, es. magazzinieri, ecc. per la nostra sede.",
        "Richiesta ottima conosc. lingua inglese, liv. B2.",
        "Contatti: dott. Bianchi, tel. 02 0000000.",
        "Esperienza con .NET e con i principi S.O.L.I.D. da almeno due anni.",
        "Orario dalle h. 9.00 alle h. 18.00.",
        "Aut. Min. Prot. N. 1207 del 2004.",
        "Cercasi Resp. Amm.vo con esperienza.",
        "Cercasi RESP. AMM.VO con esperienza.",
        "Sede: Ist. Prof. Sta. Maria di Bari.",
        "Spett.le Soc. Bianchi, Prov. Lodi, Uff. Acquisti.",
        "Cercasi add. Segr. per Staz. Centrale.",
    ],
)
def test_abbreviations_do_not_end_a_sentence(whole: str) -> None:
    assert cut(whole) == [whole]
    assert cut(f"{whole} Inviare il CV.") == [whole, "Inviare il CV."]


ADDRESSES = [
    "www.azienda.it", "https://lavoro.azienda.it/Annunci/1.2?a=B.C", "azienda.it", "azienda.de",
    "info@azienda.it", "info.Lodi@uffici.azienda.co.uk", "lavoro.azienda.com",
]  # fmt: skip


@pytest.mark.parametrize("address", [*ADDRESSES, *map(str.upper, ADDRESSES), "Www.Azienda.It"])
def test_an_address_is_not_cut_and_may_end_a_sentence(address: str) -> None:
    assert cut(f"{address} cerca commessa. Candidati ora.") == [
        f"{address} cerca commessa.",
        "Candidati ora.",
    ]
    assert cut(f"Scrivere a {address}. Si valutano tutti.") == [
        f"Scrivere a {address}.",
        "Si valutano tutti.",
    ]
    assert cut(f"Scrivere ({address}) oppure telefonare.") == [
        f"Scrivere ({address}) oppure telefonare."
    ]


def test_a_missing_space_does_not_make_an_address() -> None:
    assert cut("Serve esperienza.Si offre contratto.") == [
        "Serve esperienza.",
        "Si offre contratto.",
    ]


@pytest.mark.parametrize("disguise", DISGUISES.values(), ids=DISGUISES)
def test_a_text_in_disguise_is_cut_as_the_plain_one(disguise: Callable[[str], str]) -> None:
    text = (
        "Cercasi Resp. Amm.vo efficace. L’azienda è a Lodi; scrivere a info@azienda.it. Si cresce."
    )
    disguised = disguise(text)
    assert [normalise(piece).text for piece in cut(disguised)] == cut(text)
    assert len(cut(text)) == 3


SHAPES = [
    "A.", "S.p.A. ", "es.", "(", "«", "“", '"', "l'“A. B.", ".", "... ", " ", "\n", "1.2.", "1. ",
    "www.azienda.it/a.b.c ", "www.", "info@azienda.it. ", "a@", "abc", "\u0301", "e\u0301", "*_",
    "**a", "a;", "; ", "• ", "> ", "a/", " - ", "!", "Ma! ", "Ma. ", ")", "a-\n",
    "\u00ad", "\u200b",
    "x" * 1500 + ". Ma. ", "Via. " + "y " * 600, "-" + " " * 50, "aa.bb.",
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_the_work_is_linear_in_the_text(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """sentencex takes time quadratic in what it is given: that is bounded, and so is the sum."""
    given: list[int] = []
    monkeypatch.setattr(
        module,
        "get_sentence_boundaries",
        lambda language, text: given.append(len(text)) or get_sentence_boundaries(language, text),
    )
    text = (shape * 10_000)[:10_000]
    sentences(text, "it")
    assert max(given, default=0) <= module.WINDOW
    assert sum(given) <= 3 * len(text)


@pytest.mark.parametrize(
    "sentence", ["Ecco fatto.", "Cercasi una commessa per Lodi.", "x" * 700 + "."]
)
def test_a_long_line_is_cut_as_short_ones(sentence: str) -> None:
    sentence = sentence.capitalize()
    assert cut(" ".join([sentence] * 300)) == [sentence] * 300


def test_a_sentence_longer_than_a_window_stays_whole() -> None:
    whole = "Cerchiamo " + "persone e " * 300 + "basta."
    assert cut(f"{whole} Ecco fatto. {whole}") == [whole, "Ecco fatto.", whole]


def test_sentences_of_one_line_are_cut() -> None:
    assert cut("Cerchi lavoro? Candidati! Ti aspettiamo. Sede: Lodi.") == [
        "Cerchi lavoro?",
        "Candidati!",
        "Ti aspettiamo.",
        "Sede: Lodi.",
    ]


def test_apostrophes_and_asterisks_are_not_quotation_marks() -> None:
    assert cut("L’azienda cresce. Cerchiamo un’impiegata.") == [
        "L’azienda cresce.",
        "Cerchiamo un’impiegata.",
    ]
    assert cut("Lavorerai con collegh* giovani. Cerchiamo candidat* motivati.") == [
        "Lavorerai con collegh* giovani.",
        "Cerchiamo candidat* motivati.",
    ]


def test_lists_headings_and_markdown() -> None:
    text = """## Chi siamo
**Requisiti**
• Diploma;
- Patente C1. Disponibilità ai turni.
1. Colloquio
2) Prova pratica
a) Firma\t
· [x] fatto
---
2024
> _Sede di lavoro_
Mansioni: • carico • scarico
La sede è a **Lodi.** Si precisa che è vicina."""
    assert cut(text) == [
        "Diploma;",
        "Patente C1.",
        "Disponibilità ai turni.",
        "Colloquio",
        "Prova pratica",
        "Firma",
        "[x] fatto",
        "carico",
        "scarico",
        "La sede è a **Lodi.**",
        "Si precisa che è vicina.",
    ]


def test_over_long_sentences_are_cut_at_semicolons_only() -> None:
    clause = " ".join(["parola"] * 25)
    text = f"{clause}; {clause}, {clause}; {clause}."
    assert cut(text) == [f"{clause};", f"{clause}, {clause};", f"{clause}."]
    assert all(len(piece.split()) <= MAX_WORDS for piece in cut(text))
    without_semicolon = ", ".join([clause] * 4)
    assert cut(without_semicolon) == [without_semicolon]
    short = "Diploma; patente B; auto propria."
    assert cut(short) == [short]


def test_other_languages_are_cut_by_their_own_rules() -> None:
    assert cut("We hire. Apply now!", "en-GB") == ["We hire.", "Apply now!"]
    assert cut("We hire. Apply now!", "xx") == ["We hire.", "Apply now!"]
